import type { Connection } from '@vault-lease/testing'
import pg from 'pg'
import { type Fault, nothing } from './fault.ts'

const filler = { user: 'filler', password: 'filler-test' }
let held: pg.Client[] = []
let limitBefore = 0

/** Takes every connection that PostgreSQL has for who is no superuser. */
async function fillPostgres({ host, port, database, query }: Connection): Promise<void> {
  await query(`drop role if exists ${filler.user}`)
  await query(`create role ${filler.user} login password '${filler.password}'`)
  for (;;) {
    const client = new pg.Client({ host, port, database, ...filler })
    client.on('error', () => {})
    try {
      await client.connect()
      held.push(client)
    } catch {
      return
    }
  }
}

/** Lets nobody in beside those who are. */
async function limitMySql({ query }: Connection): Promise<void> {
  const [before] = await query<{ limit: number }>('select @@global.max_connections as `limit`')
  const [open] = await query<{ count: number }>(
    'select count(*) as count from information_schema.processlist',
  )
  limitBefore = Number(before?.limit)
  await query(`set global max_connections = ${Number(open?.count)}`)
}

/** The superuser has one connection beyond the limit. */
async function unlimitMySql({ query }: Connection): Promise<void> {
  await query(`set global max_connections = ${limitBefore}`)
}

export const databaseFaults: readonly Fault[] = [
  {
    name: 'database-restarted',
    world: 'single',
    ttlSeconds: 10,
    lastsMs: 0,
    takes: 'database',
    async inject({ servers }) {
      await Promise.all(Array.from(servers?.values() ?? [], (server) => server.restart('immediate')))
    },
    heal: nothing,
  },
  {
    name: 'database-fails-over',
    world: 'pair',
    databases: ['postgresql'],
    ttlSeconds: 10,
    lastsMs: 0,
    takes: 'database',
    inject: async ({ pair }) => await pair?.failOver(),
    heal: nothing,
  },
  {
    name: 'connection-limit',
    world: 'single',
    databases: ['postgresql', 'mysql'],
    ttlSeconds: 10,
    lastsMs: 4_000,
    takes: 'database',
    async inject({ databases }, applications) {
      held = []
      for (const [kind, { server }] of databases) {
        if (kind === 'postgresql') await fillPostgres(server)
        if (kind === 'mysql') await limitMySql(server)
      }
      for (const { lease } of applications) void lease.rotate().catch(() => {})
    },
    async heal({ databases }) {
      await Promise.all(held.map((client) => client.end()))
      const mysql = databases.get('mysql')
      if (mysql) await unlimitMySql(mysql.server)
    },
  },
]

import { type DatabaseServer, startPostgres } from '@vault-lease/testing'
import { eq, sql as statement } from 'drizzle-orm'
import { integer, pgTable, timestamp } from 'drizzle-orm/pg-core'
import { drizzle } from 'drizzle-orm/postgres-js'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { vaultPostgres } from '../src/index.ts'

const visits = pgTable('visits', { id: integer().primaryKey(), at: timestamp().notNull() })

let server: DatabaseServer
beforeAll(async () => {
  server = await startPostgres()
  await server.query('create table visits (id int primary key, at timestamp not null)')
  await server.query('grant all on visits to public')
})
afterAll(() => server?.stop())

it('is a client of Drizzle', async () => {
  const { host, port, database } = server
  let users = 0
  const credential = async (): Promise<{ username: string; password: string }> => {
    const username = `user_${++users}`
    await server.query(`create role ${username} login password 'p'`)
    return { username, password: 'p' }
  }
  const client = vaultPostgres({ credential, host, port, database, max: 3 })
  const db = drizzle({ client })
  await client`select 1`
  const at = new Date('2026-01-02T03:04:05Z')
  let isOver = false
  const adding = (async () => {
    let id = 0
    while (!isOver || id < 50) {
      await db.transaction(async (tx) => {
        await tx.insert(visits).values({ id: ++id, at })
        await tx.execute(statement`select pg_sleep(0.002)`)
      })
    }
    return id
  })()
  for (let rotation = 0; rotation < 3; rotation++) await client.lease.rotate()
  isOver = true
  const added = await adding
  expect(await db.select().from(visits).where(eq(visits.id, 1))).toEqual([{ id: 1, at }])
  expect(await db.$count(visits)).toBe(added)
  expect(client.lease.status().generation).toBe(4)
  await client.end()
})

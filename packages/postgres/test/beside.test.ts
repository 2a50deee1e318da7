import { type DatabaseServer, openFaultProxy, startPostgres } from '@vault-lease/testing'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { type VaultSql, vaultPostgres } from '../src/index.ts'

describe('what a client of postgres.js has beside its pool', () => {
  let server: DatabaseServer
  let users = 0

  beforeAll(async () => {
    server = await startPostgres()
    await server.query('alter system set wal_level = logical')
    await server.restart()
    await server.query('create table things (id int primary key)')
    await server.query('create publication alltables for all tables')
  })
  afterAll(() => server?.stop())

  const credential = async (): Promise<{ username: string; password: string }> => {
    const username = `user_${++users}`
    await server.query(`create role ${username} login superuser password 'pass-${users}'`)
    return { username, password: `pass-${users}` }
  }
  const open = (options: object = {}): VaultSql => {
    const { host, port, database } = server
    return vaultPostgres({ credential, shared: false, host, port, database, max: 2, ...options })
  }
  const sessionsOf = async (user: string | undefined): Promise<number> => {
    const rows = await server.query(`select 1 from pg_stat_activity where usename = '${user}'`)
    return rows.length
  }

  it('listens again after a rotation, as the new user', async () => {
    const sql = open()
    const heard: string[] = []
    const begun = vi.fn()
    const { unlisten } = await sql.listen('jobs', (payload) => void heard.push(payload), begun)
    await sql.notify('jobs', 'before')
    await vi.waitFor(() => expect(heard).toEqual(['before']))
    const old = sql.lease.current?.username
    await sql.lease.rotate()
    await vi.waitFor(() => expect(begun).toHaveBeenCalledTimes(2), 5_000)
    await vi.waitFor(() => expect(sql.lease.status().retiring).toEqual([]), 5_000)
    expect(await sessionsOf(old)).toBe(0)
    await sql.notify('jobs', 'after')
    await vi.waitFor(() => expect(heard).toEqual(['before', 'after']))
    await unlisten()
    await sql.end()
    expect(await sessionsOf(sql.lease.status().username)).toBe(0)
  })

  it('subscribes again after a rotation, as the new user', async () => {
    const sql = open()
    const told: unknown[] = []
    const begun = vi.fn()
    await sql.subscribe('insert:things', (row) => void told.push(row?.['id']), begun)
    await sql`insert into things values (1)`
    await vi.waitFor(() => expect(told).toEqual([1]), 5_000)
    const old = sql.lease.current?.username
    await sql.lease.rotate()
    await vi.waitFor(() => expect(begun).toHaveBeenCalledTimes(2), 10_000)
    await vi.waitFor(() => expect(sql.lease.status().retiring).toEqual([]), 5_000)
    expect(await sessionsOf(old)).toBe(0)
    await sql`insert into things values (2)`
    await vi.waitFor(() => expect(told).toEqual([1, 2]), 5_000)
    await sql.end()
  })

  it('fails a query that is never answered, at the end of the drain', async () => {
    await using way = await openFaultProxy(server)
    const sql = open({ host: way.host, port: way.port, rotation: { drainTimeoutMs: 500 } })
    await sql`select 1`
    const silent = sql`select pg_sleep(0.3)`.execute()
    await vi.waitFor(async () => {
      const rows = await server.query(
        `select 1 from pg_stat_activity where query = 'select pg_sleep(0.3)' and state = 'active'`,
      )
      expect(rows).toHaveLength(1)
    })
    const rotation = sql.lease.rotate()
    silent.catch(() => {})
    await rotation
    way.set({ kind: 'freeze' })
    await expect(silent).rejects.toMatchObject({ code: 'ERR_CONNECTION_RETIRED' })
    way.set({ kind: 'none' })
    expect(await sql`select 1 as n`).toEqual([{ n: 1 }])
    await sql.end()
  })
})

import { setTimeout as sleep } from 'node:timers/promises'
import { type DatabaseServer, startPostgres } from '@vault-lease/testing'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { type VaultSql, vaultPostgres } from '../src/index.ts'

describe('a client of postgres.js on a lease', () => {
  let server: DatabaseServer
  let users = 0

  beforeAll(async () => {
    server = await startPostgres()
    await server.query('create table things as select id from generate_series(1, 100) id')
    await server.query('grant all on things to public')
  })
  afterAll(() => server?.stop())

  /** Each credential is a user of its own. */
  const credential = async (): Promise<{ username: string; password: string }> => {
    const username = `user_${++users}`
    const password = `pass-${users}`
    await server.query(`create role ${username} login password '${password}'`)
    return { username, password }
  }
  const open = (options: Partial<Parameters<typeof vaultPostgres>[1]> = {}): VaultSql => {
    const { host, port, database } = server
    const onnotice = (): void => {}
    return vaultPostgres({
      credential,
      shared: false,
      host,
      port,
      database,
      onnotice,
      max: 3,
      ...options,
    } as never)
  }
  const userOf = async (sql: VaultSql): Promise<string> => {
    const [row] = await sql<{ user: string }[]>`select session_user as user`
    return row?.user ?? ''
  }

  it('has what postgres() has', async () => {
    const sql = open({ transform: { undefined: null } })
    expect(await sql`select ${[1, 2]}::int[] as a, ${sql.json({ b: 1 })}::json as j`).toEqual([
      { a: [1, 2], j: { b: 1 } },
    ])
    expect(await sql`select id from things where ${sql('id')} in ${sql([1, 2])} order by id`).toHaveLength(2)
    expect(await sql.unsafe('select $1::int as n', [7])).toEqual([{ n: 7 }])
    expect(sql.options.database).toBe(server.database)
    expect(sql.parameters['server_version']).toMatch(/^\d/)
    const seen: number[] = []
    await sql`select id from things order by id`.cursor(40, (rows) => void seen.push(rows.length))
    expect(seen).toEqual([40, 40, 20])
    let rows = 0
    await sql`select id from things`.forEach(() => void rows++)
    expect(rows).toBe(100)
    const inner = await sql.begin(async (tx) => {
      await tx`select 1`
      await expect(tx.savepoint((sp) => sp`select 1 / 0`)).rejects.toMatchObject({ code: '22012' })
      return await tx`select 2 as n`
    })
    expect(inner).toEqual([{ n: 2 }])
    await sql.end()
    await expect(sql`select 1`).rejects.toMatchObject({ code: 'CONNECTION_ENDED' })
  })

  it('cancels a query', async () => {
    const sql = open()
    await sql`select 1`
    const query = sql`select pg_sleep(20)`.execute()
    await sleep(100)
    query.cancel()
    await expect(query).rejects.toMatchObject({ code: '57014' })
    await sql.end()
  })

  it('reserves a connection, and keeps it across a rotation', async () => {
    const sql = open({ max: 2 })
    const first = await sql.reserve()
    const [before] = await first<{ user: string }[]>`select session_user as user`
    await sql.lease.rotate()
    const [after] = await first<{ user: string }[]>`select session_user as user`
    expect(after).toEqual(before)
    first.release()
    first.release()
    await vi.waitFor(() => expect(sql.lease.status().retiring).toEqual([]))
    expect(await userOf(sql)).toBe(sql.lease.current?.username)
    await sql.end()
  })

  it.each([true, false])(
    'gives a connection to who waits for one when another is lost (%s)',
    async (fetch_types) => {
      const sql = open({ max: 1, fetch_types })
      const lost = sql.begin(async (tx) => {
        const [session] = await tx<{ pid: number }[]>`select pg_backend_pid() as pid`
        await server.query(`select pg_terminate_backend(${session?.pid})`)
        await tx`select pg_sleep(5)`
      })
      const waiting = sql.reserve()
      await expect(lost).rejects.toThrow()
      const reserved = await waiting
      expect(await reserved`select 1 as n`).toEqual([{ n: 1 }])
      reserved.release()
      await sql.end()
    },
  )

  it('is ended at once, also where a connection was lost that had been told to end', async () => {
    const sql = open({ max: 2, rotation: { drainTimeoutMs: 200 } })
    const lost = sql.begin(async () => {
      await sql.lease.rotate()
      await vi.waitFor(() => expect(sql.lease.status().retiring).toEqual([]), 5_000)
    })
    await expect(lost).rejects.toMatchObject({ code: 'ERR_CONNECTION_RETIRED' })
    for (const reserved of await Promise.all([sql.reserve(), sql.reserve()])) reserved.release()
    const began = performance.now()
    await sql.end()
    expect(performance.now() - began).toBeLessThan(5_000)
  })

  it('runs nothing outside a transaction that was lost', async () => {
    const sql = open({ rotation: { drainTimeoutMs: 200 } })
    await server.query('create table if not exists marks (n int)')
    await server.query('grant all on marks to public')
    const errors: unknown[] = []
    const lost = sql.begin(async (tx) => {
      await tx`insert into marks values (1)`
      await sql.lease.rotate()
      await sleep(600)
      await tx`insert into marks values (2)`.catch((error: unknown) => errors.push(error))
      await tx`insert into marks values (3)`
    })
    await expect(lost).rejects.toMatchObject({ code: 'ERR_CONNECTION_RETIRED' })
    await sleep(600)
    expect(errors).toMatchObject([{ code: 'ERR_CONNECTION_RETIRED' }])
    await Promise.all(Array.from({ length: 10 }, () => sql`select 1`))
    expect(await sql`select n from marks`).toEqual([])
    await sql.end()
  })

  it('goes on under load while users come and go, with statements that are pipelined', async () => {
    const sql = open()
    let isOver = false
    let done = 0
    const work = async (): Promise<void> => {
      while (!isOver) {
        await sql`select id from things where id = ${1 + (done++ % 100)}`
      }
    }
    const workers = Promise.all(Array.from({ length: 20 }, work))
    for (let rotation = 0; rotation < 10; rotation++) {
      await sleep(50)
      await sql.lease.rotate()
    }
    isOver = true
    await workers
    expect(done).toBeGreaterThan(200)
    await sql.end()
  })

  it('fails with what the server says when it refuses a user, and leaves no place behind', async () => {
    const sql = open({ credential: async () => ({ username: 'nobody', password: 'wrong' }) })
    await expect(sql`select 1`).rejects.toMatchObject({ code: 'ERR_CREDENTIALS_UNAVAILABLE' })
    await sql.end()
  })
})

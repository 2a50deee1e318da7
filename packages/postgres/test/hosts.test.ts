import { connect, type Socket } from 'node:net'
import { type PostgresPair, startPostgresPair } from '@vault-lease/testing'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { type VaultSql, vaultPostgres } from '../src/index.ts'

describe('several hosts', () => {
  let pair: PostgresPair
  let users = 0
  beforeAll(async () => {
    pair = await startPostgresPair()
  }, 120_000)
  afterAll(() => pair?.stop())

  const credential = async (): Promise<{ username: string; password: string }> => {
    const username = `user_${++users}`
    await pair.query(`create role ${username} login password 'pass-${users}'`)
    return { username, password: `pass-${users}` }
  }
  const open = (options: object): VaultSql => {
    const { standby, database } = pair
    const places = { host: [standby.host, pair.host], port: [standby.port, pair.port] }
    return vaultPostgres({ credential, shared: false, ...places, database, max: 3, ...options } as never)
  }
  const sleepingAt = (server: Pick<PostgresPair, 'query'>): Promise<object[]> =>
    server.query(`select 1 from pg_stat_activity where query = 'select pg_sleep(20)' and state = 'active'`)

  it.each([
    ['primary', false],
    ['read-write', false],
    ['standby', true],
    ['prefer-standby', true],
  ])('keeps to those that are %s, also while users come and go', async (target_session_attrs, isStandby) => {
    const sql = open({ target_session_attrs })
    await sql`select 1`
    const seen = new Set<unknown>()
    let isOver = false
    const work = async (): Promise<void> => {
      while (!isOver) {
        const [row] = await sql`select pg_is_in_recovery() as standby`
        seen.add(row?.['standby'])
      }
    }
    const workers = Promise.all([work(), work(), work()])
    for (let rotation = 0; rotation < 5; rotation++) await sql.lease.rotate()
    isOver = true
    await workers
    expect([...seen]).toEqual([isStandby])
    expect(sql.lease.status().generation).toBe(6)
    await sql.end()
  })

  it('takes a standby that has not heard of a user yet for no refusal', async () => {
    const sql = open({ target_session_attrs: 'primary' })
    await sql`select 1`
    await pair.standby.query('select pg_wal_replay_pause()')
    for (let rotation = 0; rotation < 3; rotation++) {
      await sql.lease.rotate()
      await Promise.all(Array.from({ length: 6 }, () => sql`select pg_sleep(0.01)`))
    }
    await pair.standby.query('select pg_wal_replay_resume()')
    expect(sql.lease.status().generation).toBe(4)
    await sql.end()
  })

  // The server signals a session twice to cancel its statement: the second one may hit the next statement, so there is none.
  it.each(['primary', 'standby'])(
    'cancels a statement where it runs: on the %s',
    async (target_session_attrs) => {
      const sql = open({ target_session_attrs })
      const query = sql`select pg_sleep(20)`.execute()
      const server = target_session_attrs === 'primary' ? pair : pair.standby
      await vi.waitFor(async () => expect(await sleepingAt(server)).toHaveLength(1), 5_000)
      query.cancel()
      await expect(query).rejects.toMatchObject({ code: '57014' })
      await sql.end()
    },
  )

  it('says which host was asked for where there is none', async () => {
    const { host, port } = pair
    const sql = open({ host: [host, host], port: [port, port], target_session_attrs: 'standby' })
    await expect(sql`select 1`).rejects.toMatchObject({
      code: 'ERR_CREDENTIALS_UNAVAILABLE',
      cause: { message: expect.stringContaining('target_session_attrs') },
    })
    await sql.end()
  })

  it("goes the way of the caller's own sockets", async () => {
    let sockets = 0
    const socket = (): Socket => {
      sockets++
      return connect(pair.port, pair.host)
    }
    const sql = open({ socket, host: 'nowhere.invalid', port: 1 })
    await sql`select 1`
    await sql.lease.rotate()
    const [row] = await sql<{ user: string }[]>`select session_user as user`
    expect(row?.user).toBe(sql.lease.current?.username)
    const query = sql`select pg_sleep(20)`.execute()
    await vi.waitFor(async () => expect(await sleepingAt(pair)).toHaveLength(1), 5_000)
    query.cancel()
    await expect(query).rejects.toMatchObject({ code: '57014' })
    expect(sockets).toBeGreaterThanOrEqual(4)
    await sql.end()
    expect(await pair.query(`select 1 from pg_stat_activity where usename like 'user\\_%'`)).toEqual([])
  })
})

import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import type { PoolConnection } from 'mysql2'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import type { VaultPool } from '../src/index.ts'
import {
  ask,
  connectionOf,
  failureOf,
  maxConnections,
  running,
  type Servers,
  startServers,
} from './servers.ts'

describe('a pool of createPool() at a limit: of connections, of the time to drain', () => {
  let servers: Servers
  beforeAll(async () => {
    servers = await startServers()
  })
  afterEach(() => servers.endAll())
  afterAll(() => servers?.stop())

  const isWell = async (pool: VaultPool, generation: number): Promise<void> => {
    await ask(pool, 'select count(*) from items')
    expect(pool.lease.status()).toMatchObject({ state: 'ready', generation })
  }

  it('rotates on a server that has no connection left to give, and says who has not got one', async () => {
    const pool = await servers.pool({ connectionLimit: 2 })
    await Promise.all([ask(pool, 'do sleep(0.05)'), ask(pool, 'do sleep(0.05)')])
    const others = await takeAllConnections(servers)
    await pool.lease.rotate()
    await isWell(pool, 2)
    others.release()
    await isWell(others.pool, 1)
  })

  it('ends the statement that still runs when the time to drain has passed, and tells its holder', async () => {
    const pool = await servers.pool({ connectionLimit: 3, rotation: { drainTimeoutMs: 200 } })
    const connection = await connectionOf(pool)
    const retired = { code: 'ERR_CONNECTION_RETIRED' }
    const heard = new Promise((resolve) => connection.on('error', resolve))
    const slow = failureOf(ask(connection, 'select sleep(60)'))
    const pooled = failureOf(ask(pool, 'select sleep(61)'))
    await vi.waitFor(async () => expect(await running(servers, 'select sleep(60)')).toBe(1), {
      timeout: 10_000,
    })
    const { username } = pool.lease.status()
    const ended = once(pool.lease, 'retired')
    const failed = vi.fn()
    pool.lease.on('failed', failed)
    await pool.lease.rotate()
    expect(await slow).toMatchObject(retired)
    expect(await heard).toMatchObject(retired)
    expect(await pooled).toMatchObject(retired)
    expect(await failureOf(ask(connection, 'select 1'))).toMatchObject(retired)
    const executed = vi.fn()
    connection.execute('select 1', executed)
    await expect(async () => {
      for await (const _row of connection.query('select 1').stream()) expect.unreachable()
    }).rejects.toMatchObject(retired)
    await sleep(10)
    expect(executed).toHaveBeenCalledExactlyOnceWith(expect.objectContaining(retired))
    connection.release()
    await isWell(pool, 2)
    expect((await ended)[0]).toMatchObject({ forced: 2 })
    expect(failed).not.toHaveBeenCalled()
    for (const sql of ['select sleep(60)', 'select sleep(61)']) expect(await running(servers, sql)).toBe(0)
    await vi.waitFor(
      async () =>
        expect(await servers.engine.drops()).toContainEqual(
          expect.objectContaining({ username, openSessions: 0 }),
        ),
      { timeout: 10_000 },
    )
  })

  it('ends a statement of a user who has another password since it began', async () => {
    const username = 'stays'
    let passwords = 0
    await servers.database.query(`create user '${username}'@'%' identified by ''`)
    const credential = async () => {
      const password = `password-${++passwords}`
      await servers.database.query(`alter user '${username}'@'%' identified by '${password}'`)
      return { username, password }
    }
    const lease = await servers.lease({
      role: undefined,
      vault: undefined,
      credential,
      rotation: { drainTimeoutMs: 200 },
    })
    const pool = await servers.pool({ lease, connectionLimit: 2, database: 'information_schema' })
    const slow = failureOf(ask(pool, 'select sleep(62)'))
    await vi.waitFor(async () => expect(await running(servers, 'select sleep(62)')).toBe(1))
    const failed = vi.fn()
    lease.on('failed', failed)
    const ended = once(lease, 'retired')
    await lease.rotate()
    expect((await ended)[0]).toMatchObject({ forced: 1 })
    expect(await slow).toMatchObject({ code: 'ERR_CONNECTION_RETIRED' })
    expect(failed).not.toHaveBeenCalled()
    expect(await running(servers, 'select sleep(62)')).toBe(0)
  })

  it('tells when it cannot end a statement, because the server has no connection left', async () => {
    const pool = await servers.pool({ connectionLimit: 1 })
    const slow = failureOf(ask(pool, 'select sleep(3)'))
    await vi.waitFor(async () => expect(await running(servers, 'select sleep(3)')).toBe(1), {
      timeout: 10_000,
    })
    const others = await takeAllConnections(servers)
    const told = once(pool.lease, 'failed')
    const closed = pool.lease.close({ timeoutMs: 100 })
    expect((await told)[0]).toMatchObject({
      step: 'retire',
      error: { cause: { message: 'Too many connections' } },
    })
    others.release()
    await closed
    expect(await slow).toMatchObject({ code: 'ERR_LEASE_CLOSED' })
  })
})

/** Takes every connection that the server has left. */
async function takeAllConnections(servers: Servers): Promise<{ pool: VaultPool; release(): void }> {
  const pool = await servers.pool({ connectionLimit: 2 * maxConnections })
  const held: PoolConnection[] = []
  const error = await failureOf(
    (async () => {
      for (;;) held.push(await connectionOf(pool))
    })(),
  )
  expect(error).toMatchObject({ errno: 1040, message: 'Too many connections' })
  return {
    pool,
    release() {
      for (const connection of held) connection.release()
    },
  }
}

import { once } from 'node:events'
import { settlesWithin } from '@vault-lease/core/adapter'
import { type FaultProxy, openFaultProxy } from '@vault-lease/testing'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { type Servers, startServers } from './servers.ts'

describe.each(['VaultPool', 'pg.Pool'] as const)('a %s over a way that goes silent', (which) => {
  let servers: Servers
  let way: FaultProxy
  beforeAll(async () => {
    servers = await startServers()
  })
  beforeEach(async () => {
    way = await openFaultProxy(servers.place)
  })
  afterEach(async () => {
    await servers.endAll()
    await way[Symbol.asyncDispose]()
  })
  afterAll(() => servers?.[Symbol.asyncDispose]())

  /** Both with the same options, on the way that can fail. */
  async function poolWith(options: pg.PoolConfig): Promise<pg.Pool> {
    const place = { ...servers.place, host: way.host, port: way.port, max: 1, ...options }
    if (which === 'VaultPool') return await servers.pool(place)
    const pool = new pg.Pool({ ...servers.database.superuser, ...place }).on('error', () => {})
    return servers.closing(pool, () => pool.end())
  }

  const soonMs = 5_000
  const readTimeout = 'Query read timeout'

  it('loses one query to it with "query_timeout", and does the next on another connection', async () => {
    const pool = await poolWith({ query_timeout: 1_000 })
    await pool.query('select 1')
    way.set({ kind: 'freeze' })
    await expect(pool.query('select 1')).rejects.toThrow(readTimeout)
    expect(await settlesWithin(pool.query('select 1'), soonMs)).toBe(true)
  })

  it('lets go of it by "idleTimeoutMillis", although nothing is heard of it', async () => {
    const pool = await poolWith({ idleTimeoutMillis: 50 })
    await pool.query('select 1')
    way.set({ kind: 'freeze' })
    await vi.waitFor(() => expect(pool.totalCount).toBe(0))
    expect(await settlesWithin(pool.query('select 1'), soonMs)).toBe(true)
    way.set({ kind: 'cut' })
  })

  it('opens no connection that hangs, for longer than "connectionTimeoutMillis"', async () => {
    const pool = await poolWith({ connectionTimeoutMillis: 2_000 })
    await pool.query('select 1')
    way.set({ kind: 'hang' })
    await vi.waitFor(() => expect(pool.totalCount).toBe(0))
    const failed = pool.query('select 1').then(
      () => undefined,
      (error: unknown) => error,
    )
    expect(await settlesWithin(failed, soonMs)).toBe(true)
    expect(await failed).toBeInstanceOf(Error)
    way.set({ kind: 'none' })
    expect(await settlesWithin(pool.query('select 1'), soonMs)).toBe(true)
  })
})

describe('a VaultPool', () => {
  let servers: Servers
  let way: FaultProxy
  beforeAll(async () => {
    servers = await startServers()
    way = await openFaultProxy(servers.place)
  })
  afterEach(() => servers.endAll())
  afterAll(async () => {
    await way?.[Symbol.asyncDispose]()
    await servers?.[Symbol.asyncDispose]()
  })

  it('rotates although a connection that was idle for too long is never closed at the other end', async () => {
    const { host, port } = way
    const pool = await servers.pool({ host, port, max: 1, idleTimeoutMillis: 50 })
    await pool.query('select 1')
    way.set({ kind: 'freeze' })
    await vi.waitFor(() => expect(pool.totalCount).toBe(0))
    const retired = once(pool.lease, 'retired')
    expect(await settlesWithin(pool.lease.rotate(), 5_000)).toBe(true)
    expect(await settlesWithin(retired, 5_000)).toBe(true)
    expect((await retired)[0]).toMatchObject({ forced: 0 })
    way.set({ kind: 'none' })
  })

  // pg.Pool gives it to the next one, who waits behind what is not answered.
  it('gives nobody a client whose query was too late by "query_timeout", although it was released as if it were well', async () => {
    const { host, port } = way
    const pool = await servers.pool({ host, port, max: 1, query_timeout: 1_000 })
    const client = await pool.connect()
    way.set({ kind: 'freeze' })
    await expect(client.query('select 1')).rejects.toThrow('Query read timeout')
    client.release()
    way.set({ kind: 'none' })
    const next = await pool.connect()
    expect(next).not.toBe(client)
    await next.query('select 1')
    next.release()
  })

  it('ends what was too late at the server, too', async () => {
    const pool = await servers.pool({ max: 1, query_timeout: 1_000 })
    const client = await pool.connect()
    await expect(client.query('select pg_sleep(600)')).rejects.toThrow('Query read timeout')
    client.release()
    await pool.query('select 1')
    const sleeping = `select 1 from pg_stat_activity where query = 'select pg_sleep(600)' and state = 'active'`
    expect(await servers.database.query(sleeping)).toEqual([])
  })

  it('keeps a client on which a statement has failed, however soon it is released', async () => {
    const pool = await servers.pool({ max: 1, query_timeout: 5_000 })
    const client = await pool.connect()
    for (let n = 0; n < 20; n++) {
      const again = await (n === 0 ? client : pool.connect())
      await new Promise<void>((resolve) =>
        again.query('select nonsense', () => {
          again.release()
          resolve()
        }),
      )
      expect(again).toBe(client)
    }
    expect(client.listenerCount('end')).toBeLessThan(5)
  })
})

import { setTimeout as sleep } from 'node:timers/promises'
import { type FaultProxy, openFaultProxy } from '@vault-lease/testing'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { type Servers, startServers } from './servers.ts'

describe('a VaultPool keeps the time', () => {
  let servers: Servers
  let way: FaultProxy
  beforeAll(async () => {
    servers = await startServers()
    way = await openFaultProxy(servers.database)
  })
  afterEach(async () => {
    way.set({ kind: 'none' })
    await servers.endAll()
  })
  afterAll(async () => {
    await way?.[Symbol.asyncDispose]()
    await servers?.[Symbol.asyncDispose]()
  })

  const failureOf = async (promise: Promise<unknown>): Promise<unknown> =>
    await promise.then(
      () => expect.unreachable('it did not fail'),
      (error: unknown) => error,
    )

  it('of an acquire whose connection is still being opened when the drain ends: it gets another one', async () => {
    const { host, port } = way
    const pool = await servers.pool({ host, port, max: 10, rotation: { drainTimeoutMs: 300 } })
    await pool.lease.ready()
    way.set({ kind: 'latency', ms: 250 })
    const rotation = pool.lease.rotate()
    const queries: Promise<unknown>[] = []
    for (let n = 0; n < 25; n++) {
      queries.push(pool.connect().then((client) => client.release(true)))
      await sleep(100)
    }
    await rotation
    expect(await Promise.allSettled(queries)).toEqual(queries.map(() => ({ status: 'fulfilled' })))
    way.set({ kind: 'none' })
  })

  it('of a caller also when the database refuses the user and Vault does not answer', async () => {
    const pool = await servers.pool({ connectionTimeoutMillis: 1_000, max: 1 })
    const client = await pool.connect()
    client.release(true)
    await servers.database.query(`alter role "${pool.lease.status().username}" nologin`)
    servers.vault.pause()
    try {
      const began = performance.now()
      const [one, other] = await Promise.all([
        failureOf(pool.query('select 1')),
        failureOf(pool.query('select 1')),
      ])
      expect(performance.now() - began).toBeLessThan(4_000)
      for (const error of [one, other]) expect(error).toBeInstanceOf(Error)
    } finally {
      servers.vault.resume()
    }
  })

  it('of those who wait in its queue when it ends beside a holder that never releases', async () => {
    const pool = await servers.pool({ max: 1 })
    const holder = await pool.connect()
    const queued = failureOf(pool.query('select 1'))
    await pool.end()
    expect(await queued).toMatchObject({ message: 'Cannot use a pool after calling end on the pool' })
    expect(await failureOf(holder.query('select 1'))).toMatchObject({ code: 'ERR_LEASE_CLOSED' })
    expect(await servers.engine.users()).toEqual([])
  })

  it('of an end that its lease is given: close() is over when its caller has said', async () => {
    const pool = await servers.pool({ max: 1 })
    await pool.connect()
    const began = performance.now()
    await pool.lease.close({ timeoutMs: 400 })
    expect(performance.now() - began).toBeLessThan(3_000)
    await vi.waitFor(async () => expect(await servers.engine.users()).toEqual([]), { timeout: 5_000 })
  })

  it('when statements are denied all the time: it neither logs in for that, nor holds anybody up', async () => {
    const pool = await servers.pool({ host: way.host, port: way.port, max: 2 })
    await Promise.all([pool.query('select pg_sleep(0.05)'), pool.query('select pg_sleep(0.05)')])
    const before = way.accepted
    let over = false
    const denied = (async () => {
      while (!over) {
        // pool.query() itself closes a connection on which something has failed.
        const client = await pool.connect()
        await failureOf(client.query('select * from pg_authid'))
        client.release()
        await sleep(20)
      }
    })()
    let slowestMs = 0
    for (let n = 0; n < 100; n++) {
      const began = performance.now()
      await pool.query('select 1')
      slowestMs = Math.max(slowestMs, performance.now() - began)
      await sleep(10)
    }
    over = true
    await denied
    expect(way.accepted).toBe(before)
    expect(slowestMs).toBeLessThan(1_000)
    expect(pool.lease.status().generation).toBe(1)
  })
})

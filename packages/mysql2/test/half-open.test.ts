import { once } from 'node:events'
import { settlesWithin } from '@vault-lease/core/adapter'
import { type FaultProxy, openFaultProxy } from '@vault-lease/testing'
import mysql, { type Pool, type PoolOptions } from 'mysql2'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { asUnderlyingPool } from '../src/driver.ts'
import { ask, connectionOf, failureOf, type Servers, startServers } from './servers.ts'

const soonMs = 5_000

describe.each(['createPool()', 'the pool of mysql2'] as const)('%s over a way that goes silent', (which) => {
  let servers: Servers
  let way: FaultProxy
  beforeAll(async () => {
    servers = await startServers()
  })
  beforeEach(async () => {
    way = await openFaultProxy(servers.place)
  })
  afterEach(async () => {
    way.set({ kind: 'cut' })
    await servers.endAll()
    await way[Symbol.asyncDispose]()
  })
  afterAll(() => servers?.[Symbol.asyncDispose]())

  /** Both with the same options, on the way that can fail. */
  async function poolWith(options: PoolOptions): Promise<Pool> {
    const place = { ...servers.place, host: way.host, port: way.port, ...options }
    if (which === 'createPool()') return (await servers.pool(place)) as unknown as Pool
    const pool = mysql.createPool({ ...servers.database.superuser, ...place })
    return servers.closing(pool, () => pool.promise().end())
  }

  it('gives up an idle connection after "idleTimeout", although nothing is heard of it', async () => {
    const pool = await poolWith({ connectionLimit: 2, maxIdle: 1, idleTimeout: 100 })
    await ask(pool, 'select 1')
    const connection = await connectionOf(pool)
    connection.release()
    way.set({ kind: 'freeze' })
    const { _freeConnections: idle } = asUnderlyingPool(pool)
    expect(idle.length).toBe(1)
    await vi.waitFor(() => expect(idle.length).toBe(0), { timeout: soonMs })
    expect(await settlesWithin(ask(pool, 'select 1'), soonMs)).toBe(true)
  })

  it('opens no connection that hangs for longer than "connectTimeout"', async () => {
    const pool = await poolWith({ connectionLimit: 1, connectTimeout: 2_000 })
    const connection = await connectionOf(pool)
    const lost = once(connection, 'error')
    way.set({ kind: 'hang' })
    await lost
    connection.release()
    const failed = failureOf(ask(pool, 'select 1'))
    expect(await settlesWithin(failed, soonMs)).toBe(true)
    expect(await failed).toMatchObject({ code: 'ETIMEDOUT' })
    way.set({ kind: 'none' })
    await vi.waitFor(async () => await ask(pool, 'select 1'), { timeout: soonMs })
  })
})

describe('a pool of createPool()', () => {
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

  it('rotates over idle connections that have gone silent, and serves on new ones', async () => {
    const { host, port } = way
    const pool = await servers.pool({ host, port, connectionLimit: 3 })
    const held = await Promise.all([connectionOf(pool), connectionOf(pool), connectionOf(pool)])
    for (const connection of held) connection.release()
    way.set({ kind: 'freeze' })
    const retired = once(pool.lease, 'retired')
    expect(await settlesWithin(pool.lease.rotate(), soonMs)).toBe(true)
    await pool.lease.rotate()
    expect(await settlesWithin(retired, 30_000)).toBe(true)
    way.set({ kind: 'none' })
    expect(await settlesWithin(ask(pool, 'select 1'), soonMs)).toBe(true)
  })
})

import type { LeaseManager } from '@vault-lease/core'
import { type FaultProxy, openFaultProxy } from '@vault-lease/testing'
import mariadb from 'mariadb'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { LeasedPool } from '../src/mariadb/leased-pool.ts'
import { poolOptions } from '../src/mariadb/pool-options.ts'
import { type Servers, startServers } from './servers.ts'

const one = { sql: 'select 1 as one' }

describe('the pool on MySQL', () => {
  let servers: Servers
  let lease: LeaseManager
  let way: FaultProxy
  let pool: LeasedPool
  beforeAll(async () => {
    servers = await startServers('mysql')
  })
  beforeEach(async () => {
    way = await openFaultProxy(servers.place)
    lease = await servers.lease()
    pool = poolOf(2, 2_000)
  })
  afterEach(async () => {
    way.set({ kind: 'none' })
    await pool.end()
    await way[Symbol.asyncDispose]()
    await servers.endAll()
  })
  afterAll(() => servers?.stop())

  function poolOf(connectionLimit: number, acquireTimeout: number): LeasedPool {
    return new LeasedPool({
      driver: mariadb,
      config: { ...servers.place, host: way.host, port: way.port },
      options: poolOptions({ connectionLimit, acquireTimeout }),
      lease,
      ownsLease: false,
    })
  }

  it("lends the driver's connection itself, which is given back once", async () => {
    const connection = await pool.getConnection()
    await connection.release()
    await connection.release()
    expect(await pool.getConnection()).toBe(connection)
    expect(await pool.getConnection()).not.toBe(connection)
    await expect(pool.getConnection()).rejects.toThrow('No connection became free within 2000 ms')
    await connection.release()
    expect(await pool.getConnection()).toBe(connection)
  })

  it('leaves no listener of a holder to the next one', async () => {
    for (let holders = 0; holders < 3; holders++) {
      const connection = await pool.getConnection()
      expect(connection.listenerCount('error')).toBe(1)
      connection.on('error', () => {})
      await connection.release()
    }
  })

  it('rolls back what a statement of its own has left open', async () => {
    await pool.query({ sql: 'start transaction' })
    const connection = await pool.getConnection()
    expect((connection.info?.status ?? 1) & 1).toBe(0)
  })

  it('has the place of a connection that is lost, in use or not, and of one that could not be opened', async () => {
    await Promise.all([pool.query(one), pool.query(one)])
    way.set({ kind: 'cut' })
    await expect(pool.query(one)).rejects.toThrow()
    way.set({ kind: 'none' })
    await Promise.all([pool.getConnection(), pool.getConnection()])
    way.set({ kind: 'cut' })
    way.set({ kind: 'none' })
    await Promise.all([pool.query(one), pool.query(one)])
  })

  it('ends what a connection runs that answers nothing any more, when its user has to go', async () => {
    const connection = await pool.getConnection()
    await connection.query('select 1')
    way.set({ kind: 'freeze' })
    const running = connection.query('select 1')
    await Promise.all([
      expect(running).rejects.toMatchObject({ code: 'ERR_LEASE_CLOSED' }),
      lease.close({ timeoutMs: 1_000 }),
    ])
    await expect(connection.query('select 1')).rejects.toMatchObject({ code: 'ERR_LEASE_CLOSED' })
  })
})

import { once } from 'node:events'
import type { PoolOptions } from 'mysql2'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { ask, connectionOf, failureOf, running, type Servers, startServers, userOf } from './servers.ts'

const endlessRows = `select repeat('x', 10000) from seq_1_to_1000000`

describe('a pool of createPool() reaches its database', () => {
  let servers: Servers
  let socketPath: string
  beforeAll(async () => {
    servers = await startServers()
    const [server] = await servers.database.query<{ path: string }>('select @@socket as path')
    socketPath = server?.path ?? ''
  })
  afterEach(() => servers.endAll())
  afterAll(() => servers?.[Symbol.asyncDispose]())

  it('in another database of the same server', async () => {
    await servers.database.query('create database other')
    const role = 'other'
    const creationStatements = [
      `CREATE USER '{{name}}'@'%' IDENTIFIED BY '{{password}}'`,
      `GRANT SELECT ON other.* TO '{{name}}'@'%'`,
    ]
    await servers.engine.role(role, { ttl: '60s', maxTtl: '10m', creationStatements })
    const pool = await servers.pool({ role, database: 'other' })
    expect(await ask(pool, 'select database() as name')).toEqual([{ name: 'other' }])
  })

  it.each<[string, () => PoolOptions]>([
    ['a network address', () => ({})],
    ['a compressed connection', () => ({ compress: true })],
    ['a Unix socket', () => ({ socketPath, host: 'nowhere.invalid' })],
  ])(
    'through %s, and closes what is still in use when the time to drain has passed',
    async (_name, options) => {
      const pool = await servers.pool({
        connectionLimit: 4,
        rotation: { drainTimeoutMs: 200 },
        ...options(),
      })
      const retired = { code: 'ERR_CONNECTION_RETIRED' }
      const sleeping = failureOf(ask(pool, 'select sleep(60)'))
      const idle = await connectionOf(pool)
      const idleHears = new Promise((resolve) => idle.on('error', resolve))
      const rows = pool.query(endlessRows).stream()[Symbol.asyncIterator]()
      await rows.next()
      await vi.waitFor(async () => expect(await running(servers, 'select sleep(60)')).toBe(1), {
        timeout: 10_000,
      })
      const ended = once(pool.lease, 'retired')
      await pool.lease.rotate()
      expect((await ended)[0]).toMatchObject({ forced: 3 })
      for (const sql of ['select sleep(60)', endlessRows]) expect(await running(servers, sql)).toBe(0)
      const toTheEnd = async (): Promise<void> => {
        while (!(await rows.next()).done);
      }
      for (const error of await Promise.all([sleeping, idleHears, failureOf(toTheEnd())]))
        expect(error).toMatchObject(retired)
      idle.release()
      expect(await userOf(pool)).toBe(pool.lease.status().username)
    },
  )
})

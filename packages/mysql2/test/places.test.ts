import { once } from 'node:events'
import type { PoolOptions } from 'mysql2'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { authority, certificate, type Pair } from '../../core/test/certificates.ts'
import type { VaultPool } from '../src/index.ts'
import { ask, connectionOf, failureOf, running, type Servers, startServers, userOf } from './servers.ts'

const endlessRows = `select repeat('x', 10000) from seq_1_to_1000000`

describe('a pool of createPool() reaches its database', () => {
  let servers: Servers
  let socketPath: string
  let trusted: Pair
  beforeAll(async () => {
    trusted = await authority('trusted')
    // mysql2 looks for this name where the host is an address.
    servers = await startServers({
      tls: await certificate('local', [{ type: 2, value: 'localhost' }], trusted),
    })
    const [server] = await servers.database.query<{ path: string }>('select @@socket as path')
    socketPath = server?.path ?? ''
  })
  afterEach(() => servers.endAll())
  afterAll(() => servers?.[Symbol.asyncDispose]())

  const verified = (): PoolOptions => ({ ssl: { ca: trusted.cert, verifyIdentity: true } })
  const isEncrypted = async (pool: VaultPool): Promise<boolean> => {
    const [status] = await ask<{ Value: string }>(pool, `show session status like 'Ssl_cipher'`)
    return status?.Value !== ''
  }

  it('over TLS that is verified, through rotations', async () => {
    const pool = await servers.pool(verified())
    for (let n = 0; n < 3; n++) {
      const connections = await Promise.all([connectionOf(pool), connectionOf(pool), connectionOf(pool)])
      for (const connection of connections) connection.release()
      expect(await isEncrypted(pool)).toBe(true)
      const retired = once(pool.lease, 'retired')
      await pool.lease.rotate()
      await retired
    }
    expect(await isEncrypted(pool)).toBe(true)
    expect(await userOf(pool)).toBe(pool.lease.current?.username)
  })

  it('over TLS, or not at all when the certificate is not trusted', async () => {
    const pool = await servers.pool({ ssl: { ca: (await authority('other')).cert } })
    expect(await failureOf(ask(pool, 'select 1'))).toMatchObject({
      code: 'ERR_CREDENTIALS_UNAVAILABLE',
      cause: { code: 'ERR_CREDENTIAL_NOT_PROVEN', message: expect.stringContaining('certificate') },
    })
  })

  it('over TLS that nobody verifies, where the caller says so', async () => {
    const pool = await servers.pool({ ssl: { rejectUnauthorized: false } })
    expect(await isEncrypted(pool)).toBe(true)
    await pool.lease.rotate()
    expect(await isEncrypted(pool)).toBe(true)
  })

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
    ['TLS', verified],
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

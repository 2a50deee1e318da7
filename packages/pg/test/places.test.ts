import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import type { DatabaseServer } from '@vault-lease/testing'
import type { PoolConfig } from 'pg'
import { generate } from 'selfsigned'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import type { VaultPool } from '../src/pool.ts'

import { type Servers, startServers } from './servers.ts'

describe('a VaultPool reaches its database', () => {
  let servers: Servers
  let certificate: string
  let socketFolder: string
  beforeAll(async () => {
    servers = await startServers()
    certificate = await turnOnTls(servers.database)
    const [setting] = await servers.database.query<{ folder: string }>(
      `select current_setting('unix_socket_directories') as folder`,
    )
    socketFolder = setting?.folder ?? ''
  })
  afterEach(() => servers.endAll())
  afterAll(() => servers?.[Symbol.asyncDispose]())

  const encrypted = async (pool: VaultPool): Promise<boolean | undefined> => {
    const { rows } = await pool.query<{ ssl: boolean }>(
      'select ssl from pg_stat_ssl where pid = pg_backend_pid()',
    )
    return rows[0]?.ssl
  }

  it('over TLS that is verified', async () => {
    const pool = await servers.pool({ ssl: { ca: certificate } })
    expect(await encrypted(pool)).toBe(true)
    await pool.lease.rotate()
    expect(await encrypted(pool)).toBe(true)
  })

  it('over TLS, or not at all when the certificate is not trusted', async () => {
    const pool = await servers.pool({ ssl: { ca: (await selfSigned()).cert } })
    await expect(pool.query('select 1')).rejects.toMatchObject({
      code: 'ERR_CREDENTIALS_UNAVAILABLE',
      cause: { code: 'ERR_CREDENTIAL_NOT_PROVEN', cause: { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' } },
    })
  })

  it('in another database of the same server', async () => {
    await servers.database.query('create database other')
    const pool = await servers.pool({ database: 'other' })
    const { rows } = await pool.query('select current_database() as name')
    expect(rows).toEqual([{ name: 'other' }])
  })

  it.each<[string, () => PoolConfig]>([
    ['a network address', () => ({})],
    ['TLS', () => ({ ssl: { ca: certificate } })],
    ['a Unix socket', () => ({ host: socketFolder })],
  ])(
    'through %s, and ends the statement that still runs when the time to drain has passed',
    async (_name, options) => {
      const pool = await servers.pool({ rotation: { drainTimeoutMs: 200 }, ...options() })
      const slow = pool.query('select pg_sleep(60)').catch((error: unknown) => error)
      while ((await sleepers(servers.database)) === 0) await sleep(10)
      const retired = once(pool.lease, 'retired')
      await pool.lease.rotate()
      expect((await retired)[0]).toMatchObject({ forced: 1 })
      // The cancellation travels on a connection of its own.
      await vi.waitFor(async () => expect(await sleepers(servers.database)).toBe(0), { timeout: 2_000 })
      expect(await slow).toMatchObject({ code: 'ERR_CONNECTION_RETIRED' })
    },
  )
})

async function sleepers(server: DatabaseServer): Promise<number> {
  const rows = await server.query(
    `select 1 from pg_stat_activity where query = 'select pg_sleep(60)' and state = 'active'`,
  )
  return rows.length
}

/** Gives the server a certificate and returns it. */
async function turnOnTls(server: DatabaseServer): Promise<string> {
  const { cert, private: key } = await selfSigned()
  for (const [file, text] of Object.entries({ 'server.crt': cert, 'server.key': key })) {
    const lines = text.trim().split(/\r?\n/)
    // The server refuses a key that others may read.
    await server.query(
      `copy (select unnest('{${lines.join(',')}}'::text[])) to program 'umask 077; cat > ${file}'`,
    )
  }
  await server.query('alter system set ssl = on')
  await server.query('select pg_reload_conf()')
  for (;;) {
    const [setting] = await server.query<{ ssl: string }>('show ssl')
    if (setting?.ssl === 'on') return cert
    await sleep(20)
  }
}

async function selfSigned(): Promise<{ cert: string; private: string }> {
  return await generate([{ name: 'commonName', value: 'postgres' }], {
    keyType: 'ec',
    extensions: [{ name: 'subjectAltName', altNames: [{ type: 7, ip: '127.0.0.1' }] }],
  })
}

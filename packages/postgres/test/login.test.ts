import { setTimeout as sleep } from 'node:timers/promises'
import { type DatabaseServer, startPostgres } from '@vault-lease/testing'
import { generate } from 'selfsigned'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type VaultSql, vaultPostgres } from '../src/index.ts'

describe('the login', () => {
  let server: DatabaseServer

  beforeAll(async () => {
    server = await startPostgres()
    await server.query(`create role by_scram login password 'it''s'`)
    await server.query(`set password_encryption = 'md5'; create role by_md5 login password 'a "word"'`)
    await server.query(`create role by_password login password 'plain'`)
  })
  afterAll(() => server?.stop())

  const open = (username: string, password: string, options: object = {}): VaultSql => {
    const { host, port, database } = server
    const credential = async (): Promise<{ username: string; password: string }> => ({ username, password })
    return vaultPostgres({ credential, shared: false, host, port, database, max: 1, ...options })
  }
  /** The superuser of the tests stays. */
  const askFor = async (method: string): Promise<void> => {
    const lines = ['local all all trust', 'host all postgres all scram-sha-256', `host all all all ${method}`]
    await server.query(`copy (select unnest('{${lines.join(',')}}'::text[])) to program 'cat > pg_hba.conf'`)
    await server.query('select pg_reload_conf()')
    for (;;) {
      const rows = await server.query(`select 1 from pg_hba_file_rules where auth_method = '${method}'`)
      if (rows.length > 0) return await sleep(100)
      await sleep(20)
    }
  }

  it.each([
    ['scram-sha-256', 'by_scram', "it's"],
    ['md5', 'by_md5', 'a "word"'],
    ['password', 'by_password', 'plain'],
  ])('is done by %s', async (method, username, password) => {
    await askFor(method)
    const sql = open(username, password)
    expect(await sql`select session_user as user`).toEqual([{ user: username }])
    expect(sql.parameters['client_encoding']).toBe('UTF8')
    await sql.end()
    const wrong = open(username, 'wrong')
    const error = await wrong`select 1`.catch((failure: unknown) => failure)
    expect(error).toMatchObject({
      cause: { message: expect.stringContaining('password authentication failed') },
    })
    await wrong.end()
  })

  it('says how sessions begin, as in a role that stays', async () => {
    await server.query('create role app_owner nologin; grant app_owner to by_password')
    const sql = open('by_password', 'plain', { connection: { options: '-c role=app_owner' } })
    expect(await sql`select current_user as role, session_user as user`).toEqual([
      { role: 'app_owner', user: 'by_password' },
    ])
    await sql.end()
  })

  it('is done over TLS, and not to a server that cannot be trusted', async () => {
    const plain = open('by_password', 'plain', { ssl: 'prefer' })
    expect(await isEncrypted(plain)).toBe(false)
    await plain.end()
    const unwilling = open('by_password', 'plain', { ssl: 'require' })
    await expect(unwilling`select 1`).rejects.toMatchObject({
      cause: { message: expect.stringContaining('does not support SSL') },
    })
    await unwilling.end()

    const ca = await turnOnTls(server)
    for (const ssl of [{ ca }, 'require', 'prefer', true]) {
      const sql = open('by_password', 'plain', { ssl })
      if (ssl === true) await expect(sql`select 1`).rejects.toThrow()
      else expect(await isEncrypted(sql)).toBe(true)
      await sql.end()
    }
  })
})

async function isEncrypted(sql: VaultSql): Promise<boolean | undefined> {
  const [row] = await sql<{ ssl: boolean }[]>`select ssl from pg_stat_ssl where pid = pg_backend_pid()`
  return row?.ssl
}

/** Gives the server a certificate and returns it. */
async function turnOnTls(server: DatabaseServer): Promise<string> {
  const { cert, private: key } = await generate([{ name: 'commonName', value: 'postgres' }], {
    keyType: 'ec',
    extensions: [{ name: 'subjectAltName', altNames: [{ type: 7, ip: '127.0.0.1' }] }],
  })
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

import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { createLease, token } from '@vault-lease/core'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type VaultDatabaseUrlOptions, vaultDatabaseUrl } from '../src/database-url.ts'
import { type Servers, startServers } from './servers.ts'

const packages = fileURLToPath(new URL('../..', import.meta.url))
const project = fileURLToPath(new URL('./project', import.meta.url))
const command = join(
  dirname(createRequire(import.meta.url).resolve('prisma/package.json')),
  'build',
  'index.js',
)

/** Prisma reads its configuration with jiti, which does not know the condition by which our sources are found. */
const sources = {
  '@vault-lease/core/adapter': 'core/src/adapter.ts',
  '@vault-lease/core': 'core/src/index.ts',
  '@vault-lease/pg/adapter': 'pg/src/adapter.ts',
  '@vault-lease/prisma': 'prisma/src/index.ts',
}

describe('vaultDatabaseUrl()', () => {
  let servers: Servers
  beforeAll(async () => {
    servers = await startServers('postgresql')
  })
  afterEach(() => servers.endAll())
  afterAll(() => servers?.stop())

  it('gives a URL in which nothing means something else', async () => {
    const lease = await servers.lease()
    const place = { host: '::1', port: 5433, database: 'a/b', parameters: { schema: 'c&d' } }
    const url = new URL(await vaultDatabaseUrl({ provider: 'postgresql', lease, ...place }))
    const { username, password } = lease.current ?? {}
    expect(url).toMatchObject({ host: '[::1]:5433', pathname: '/a%2Fb', search: '?schema=c%26d' })
    expect(decodeURIComponent(url.username)).toBe(username)
    expect(decodeURIComponent(url.password)).toBe(password)
  })

  it('keeps a user whom a rotation has replaced until the lease is closed', async () => {
    const lease = await servers.lease()
    await vaultDatabaseUrl({ provider: 'mysql', lease, database: 'app' })
    await lease.rotate()
    await sleep(300)
    expect(await servers.engine.users()).toHaveLength(2)
  })

  it('leaves no user when its process ends by itself: the command line of Prisma', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'prisma-'))
    const whoFile = join(folder, 'who')
    const { host, port, database } = servers.place
    await servers.engine.role('app', { ttl: '60s', maxTtl: '60s' })
    const { stdout } = await promisify(execFile)(process.execPath, [command, 'migrate', 'status'], {
      cwd: project,
      timeout: 50_000,
      env: {
        PATH: process.env['PATH'],
        JITI_ALIAS: JSON.stringify(
          Object.fromEntries(Object.entries(sources).map(([name, path]) => [name, join(packages, path)])),
        ),
        PRISMA_SCHEMA_ENGINE_BINARY: join(project, 'schema-engine.mjs'),
        WHO_FILE: whoFile,
        VAULT_ADDR: servers.vault.address,
        VAULT_TOKEN: await servers.engine.createToken(),
        VAULT_DB_ROLE: 'app',
        PGHOST: host,
        PGPORT: String(port),
        PGDATABASE: database,
      },
    })
    expect(stdout).toContain('Database schema is up to date!')
    expect(readFileSync(whoFile, 'utf8')).toMatch(/^v-token-app-/)
    expect(await servers.engine.users()).toEqual([])
    rmSync(folder, { recursive: true })
  })
})

describe('the options of vaultDatabaseUrl()', () => {
  const vault = { address: 'http://127.0.0.1:1', auth: token('none') }

  it.each([
    [{ roel: 'app' }, 'did you mean "role"?'],
    [{ user: 'me' }, 'Leave out "user"'],
    [{ provider: 'sqlite' }, 'Set the option "provider"'],
    [{ database: '' }, 'Set the option "database"'],
    [{ lease: createLease({ vault, role: 'app' }) }, 'Give either "lease" or "role"'],
  ])('refuse %j', async (wrong, message) => {
    const options = { provider: 'mysql', vault, role: 'app', database: 'app', ...wrong }
    await expect(vaultDatabaseUrl(options as VaultDatabaseUrlOptions)).rejects.toThrow(message)
  })

  it('that lead to no credential are told at once, and nothing goes on', async () => {
    const failed = vaultDatabaseUrl({ provider: 'mysql', vault, role: 'app', database: 'app' })
    await expect(failed).rejects.toMatchObject({ code: 'ERR_CREDENTIALS_UNAVAILABLE' })
    expect(process.listenerCount('beforeExit')).toBe(0)
  })
})

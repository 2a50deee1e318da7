import { createRequire } from 'node:module'
import { createLease, InvalidOptionError, token } from '@vault-lease/core'
import mariadb from 'mariadb'
import pg from 'pg'
import { describe, expect, it } from 'vitest'
import { poolOptions } from '../src/mariadb/pool-options.ts'
import { type VaultAdapterOptions, vaultAdapter } from '../src/vault-adapter.ts'

const vault = { address: 'http://127.0.0.1:1', auth: token('none') }
const place = { vault, role: 'app', host: 'db.internal', database: 'app' }

const PoolOptionsOfDriver: new (options: object) => Record<string, unknown> = createRequire(import.meta.url)(
  'mariadb/lib/config/pool-options.js',
)

/** What JavaScript lets through. */
function given(options: object): () => unknown {
  return () => vaultAdapter(options as VaultAdapterOptions)
}

describe.each(['postgresql', 'mysql'] as const)('the options of vaultAdapter() for %s', (provider) => {
  const good = { provider, ...place }

  it('make an adapter of the provider that Prisma knows', () => {
    const adapter = vaultAdapter(good)
    expect(adapter.provider).toBe(provider === 'mysql' ? 'mysql' : 'postgres')
    expect(adapter.adapterName).toBe(provider === 'mysql' ? '@prisma/adapter-mariadb' : '@prisma/adapter-pg')
  })

  it.each([
    [{ roel: 'app' }, '"roel" is not an option, did you mean "role"?'],
    [{ user: 'me' }, 'Leave out "user"'],
    [{ password: 'secret' }, 'Leave out "password"'],
    [{ role: '' }, 'Which database role?'],
    [{ port: 'tcp://10.0.0.1:1' }, '"port" takes a number from 0 to 65535'],
    [{ host: 5 }, '"host" takes a text'],
    [{ database: 5 }, '"database" takes a text'],
    [{ max: -1, connectionLimit: -1 }, 'at least'],
    [{ lease: createLease({ vault, role: 'app' }) }, 'Give either "lease" or "role"'],
  ])('refuse %j', (wrong, message) => {
    expect(given({ ...good, ...wrong })).toThrow(InvalidOptionError)
    expect(given({ ...good, ...wrong })).toThrow(message)
  })
})

describe('the options of vaultAdapter()', () => {
  it.each([{}, { provider: 'postgres' }, { provider: 'toString' }])('ask for a provider: %j', (wrong) => {
    expect(given({ ...place, ...wrong })).toThrow('Set the option "provider"')
  })

  it('refuse a user in the connection string', () => {
    const connectionString = 'postgresql://me:secret@db.internal/app'
    const options = { provider: 'postgresql', vault, role: 'app', connectionString }
    expect(given(options)).toThrow('Leave the user and the password out of "connectionString"')
  })

  it.each([
    ['minimumIdle', 'connections are opened as they are needed'],
    ['leakDetectionTimeout', 'Prisma gives connections back by itself'],
    ['stream', 'the pool opens the streams'],
    ['setRole', 'it is for PostgreSQL'],
  ])('refuse "%s" for MySQL, and say why', (name, why) => {
    const refused = given({ provider: 'mysql', ...place, [name]: 1 })
    expect(refused).toThrow(`The option "${name}" is not supported: ${why}`)
    expect(refused).toThrow(InvalidOptionError)
  })

  it("of the driver's pool have its units and its defaults", () => {
    const opts = new PoolOptionsOfDriver({ user: 'me' })
    expect(poolOptions({})).toEqual({
      connectionLimit: opts['connectionLimit'],
      acquireTimeoutMs: opts['acquireTimeout'],
      initializationTimeoutMs: opts['initializationTimeout'],
      idleTimeoutMs: Number(opts['idleTimeout']) * 1_000,
      minDelayValidationMs: opts['minDelayValidation'],
      pingTimeoutMs: opts['pingTimeout'],
      resetAfterUse: opts['resetAfterUse'],
      noControlAfterUse: opts['noControlAfterUse'],
    })
    expect(poolOptions({ idleTimeout: 0 }).idleTimeoutMs).toBeUndefined()
  })

  it.each(['connectionString', 'uri', 'url'])(
    'refuse "%s" for MySQL, whose adapter would not see it',
    (name) => {
      const options = { provider: 'mysql', ...place, [name]: 'mysql://me:secret@db/app' }
      expect(given(options)).toThrow(`in place of "${name}"`)
    },
  )

  it('are those of the driver too', () => {
    for (const name of Object.keys(mariadb.defaultOptions({}))) {
      if (['user', 'password', 'stream'].includes(name)) continue
      expect(given({ provider: 'mysql', ...place, [name]: undefined })).not.toThrow()
    }
  })
})

describe('more than one copy of pg', () => {
  it('is no trouble: the pool is of the class that Prisma looks for', async () => {
    const require = createRequire(createRequire(import.meta.url).resolve('@prisma/adapter-pg'))
    const { Pool }: typeof pg = require('pg')
    expect(Pool).not.toBe(pg.Pool)
    const adapter = await vaultAdapter({ provider: 'postgresql', ...place }).connect()
    expect('underlyingDriver' in adapter && (adapter.underlyingDriver as () => unknown)()).toBeInstanceOf(
      Pool,
    )
    expect('lease' in (adapter as unknown as { underlyingDriver(): object }).underlyingDriver()).toBe(true)
    await adapter.dispose()
  })
})

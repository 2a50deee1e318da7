import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { createLease, token } from '@vault-lease/core'
import pg, { type PoolClient } from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { asPgClient } from '../src/driver.ts'
import { VaultPool } from '../src/pool.ts'
import type { VaultPoolOptions } from '../src/pool-class.ts'
import { type Servers, startServers } from './servers.ts'

const nowhere = { database: undefined }

const cannotLogIn = [`CREATE ROLE "{{name}}" NOLOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'`]

const failureOf = (promise: Promise<unknown>): Promise<unknown> => promise.catch((error: unknown) => error)

describe('a VaultPool in trouble', () => {
  let servers: Servers
  beforeAll(async () => {
    servers = await startServers()
  })
  afterEach(() => servers.endAll())
  afterAll(() => servers?.stop())

  const changePassword = (user: string | undefined) =>
    servers.database.query(`alter role "${user}" password 'changed behind the back'`)

  it('rotates once and connects again when the database refuses the user, and runs no query twice', async () => {
    const pool = await servers.pool()
    const [first, second] = await Promise.all([pool.connect(), pool.connect()])
    await changePassword(pool.lease.status().username)
    await Promise.all(
      Array.from({ length: 10 }, () => pool.query(`insert into items (name) values ('once')`)),
    )
    expect(pool.lease.status().generation).toBe(2)
    for (const client of [first, second]) {
      await client.query(`insert into items (name) values ('once')`)
      client.release()
    }
    const rows = await servers.database.query(`select 1 from items where name = 'once'`)
    expect(rows).toHaveLength(12)
  })

  it('rotates once when the user is gone as connections are opened', async () => {
    const pool = await servers.pool({ max: 20 })
    const inUse = await pool.connect()
    await servers.engine.revokePrefix(servers.role)
    await Promise.all(Array.from({ length: 10 }, () => pool.query('select count(*) from items')))
    expect(pool.lease.status()).toMatchObject({ state: 'ready', generation: 2 })
    inUse.release()
  })

  it('notices that the user was dropped by the statement that is denied, fails that one and serves the rest', async () => {
    const pool = await servers.pool({ max: 1 })
    await pool.query('select count(*) from items')
    await servers.engine.revokePrefix(servers.role)
    expect(await failureOf(pool.query('select count(*) from items'))).toMatchObject({ code: '42501' })
    await pool.query('select count(*) from items')
    expect(pool.lease.status().generation).toBe(2)
  })

  it('whose user dies counts as closed under their holders those that somebody held, and not the idle ones', async () => {
    const [role, ttls] = ['mortal', { ttl: '3s', maxTtl: '3s' }]
    await servers.engine.role(role, ttls)
    const pool = await servers.pool({ role })
    const held = await pool.connect()
    held.on('error', () => {})
    const retired = once(pool.lease, 'retired')
    await Promise.all([pool.query('select pg_sleep(0.1)'), pool.query('select pg_sleep(0.1)')])
    await servers.engine.role(role, { ...ttls, creationStatements: cannotLogIn })
    expect((await retired)[0]).toMatchObject({ forced: 1 })
    held.release()
  })

  it('has one patience for the queue of the pool and for a credential', async () => {
    const { user, password } = servers.database.superuser
    const expiresAt = new Date(Date.now() + 1_500)
    let asked = 0
    const credential = async () => {
      if (asked++ > 0) await sleep(10_000, undefined, { ref: false })
      return { username: user, password, expiresAt }
    }
    const { place } = servers
    const pool = new VaultPool({ ...place, credential, max: 1, connectionTimeoutMillis: 2_000 })
    servers.closing(pool, () => pool.end())
    await pool.query('select 1')
    const began = performance.now()
    // In the same breath: the one that is idle is for the first of them.
    const [, late] = await Promise.all([
      failureOf(pool.query('select pg_sleep(1.8)')),
      failureOf(pool.connect()),
    ])
    expect(late).toBeInstanceOf(Error)
    expect(performance.now() - began).toBeLessThan(2_600)
  })

  it('whose database is down at the start says so, leaves no user, and works once it is up', async () => {
    const pool = await servers.pool()
    await servers.database.kill()
    const error = await failureOf(pool.query('select 1'))
    expect(error).toMatchObject({ code: 'ERR_CREDENTIALS_UNAVAILABLE', retryable: true })
    await servers.database.start()
    for (let tries = 100; pool.lease.status().state !== 'ready' && tries > 0; tries--) await sleep(100)
    await pool.query('select 1')
    expect(await servers.engine.users()).toHaveLength(1)
  })

  it('whose first user may not log in says so, and gives it back', async () => {
    const role = 'cannot-log-in'
    await servers.engine.role(role, { ttl: '60s', maxTtl: '10m', creationStatements: cannotLogIn })
    const pool = await servers.pool({ role })
    expect(await failureOf(pool.query('select 1'))).toMatchObject({
      code: 'ERR_CREDENTIALS_UNAVAILABLE',
      cause: { code: 'ERR_CREDENTIAL_NOT_PROVEN', cause: { code: '28000' } },
    })
    await pool.end()
    expect(await servers.engine.users()).toEqual([])
  })

  it('whose new user may not log in keeps the old one, and gives the new one back', async () => {
    const pool = await servers.pool()
    await pool.query('select 1')
    const username = pool.lease.status().username
    await servers.engine.role(servers.role, { ttl: '60s', maxTtl: '10m', creationStatements: cannotLogIn })
    const error = await failureOf(pool.lease.rotate())
    expect(error).toMatchObject({
      code: 'ERR_CREDENTIAL_NOT_PROVEN',
      refused: true,
      cause: { code: '28000' },
    })
    expect(await servers.engine.users()).toEqual([username])
    await pool.query('select 1')
    await servers.engine.role(servers.role, { ttl: '60s', maxTtl: '10m' })
    await pool.lease.rotate()
    expect(pool.lease.status()).toMatchObject({ state: 'ready', generation: 2 })
  })

  it('rotates on a server that has no connection left to give', async () => {
    const pool = await servers.pool({ max: 2 })
    await Promise.all([pool.query('select pg_sleep(0.05)'), pool.query('select pg_sleep(0.05)')])
    const others = await servers.pool({ max: 50 })
    const held: PoolClient[] = []
    const error = await failureOf(
      (async () => {
        for (;;) held.push(await others.connect())
      })(),
    )
    expect(error).toMatchObject({ code: '53300' })
    await pool.lease.rotate()
    await pool.query('select 1')
    for (const client of held) client.release()
  })

  it('rotates while every connection is held for long, and while the database is slow', async () => {
    const pool = await servers.pool({ max: 1, rotation: { drainTimeoutMs: 2_000 } })
    const client = await pool.connect()
    await client.query('begin')
    const rotation = pool.lease.rotate()
    await sleep(200)
    await client.query('select count(*) from items')
    await client.query('commit')
    client.release()
    await rotation
    await pool.query('select 1')
    servers.database.pause()
    const slow = [pool.query('select 1'), pool.lease.rotate()]
    await sleep(700)
    servers.database.resume()
    await Promise.all(slow)
    expect(pool.lease.status()).toMatchObject({ state: 'ready', generation: 3 })
  })

  it('ends while a client is held, at the latest when the time to close has passed', async () => {
    const pool = await servers.pool()
    const client = await pool.connect()
    const ended = pool.end()
    await sleep(50)
    await client.query('select 1')
    client.release()
    await ended
    expect(await servers.engine.users()).toEqual([])
  })

  it.each<[string, VaultPoolOptions, RegExp, string]>([
    [
      'a port',
      { connectionString: 'postgresql://127.0.0.1/app?port=99999' },
      /Port should be/,
      'ERR_CREDENTIAL_NOT_PROVEN',
    ],
    ['a stream', { stream: (() => ({})) as never }, /has to give a stream/, 'ERR_INVALID_OPTION'],
  ])(
    'says at once that %s cannot be, when only the driver knows, and ends',
    async (_name, options, says, code) => {
      const pool = await servers.pool({ ...options, ...(options.connectionString && { port: undefined }) })
      expect(await failureOf(pool.query('select 1'))).toMatchObject({
        code: 'ERR_CREDENTIALS_UNAVAILABLE',
        message: expect.stringMatching(says),
        cause: { code },
      })
      await pool.end()
      expect(await servers.engine.users()).toEqual([])
    },
    10_000,
  )

  it('says that it does not know a client that lacks a part when it has connected, and closes it', async () => {
    class Client extends pg.Client {
      constructor(config?: string | pg.ClientConfig) {
        super(config)
        const lose = () => Reflect.deleteProperty(this, 'readyForQuery')
        asPgClient(this).connection.on('readyForQuery', () => queueMicrotask(lose))
      }
    }
    const unsupported = { code: 'ERR_INVALID_OPTION' }
    const alone = await servers.pool({ Client })
    await expect(alone.query('select 1')).rejects.toMatchObject({ cause: unsupported })
    const lease = await servers.lease()
    const good = await servers.pool({ lease })
    await good.query('select 1')
    const besides = await servers.pool({ lease, Client })
    await expect(besides.query('select 1')).rejects.toMatchObject(unsupported)
    await vi.waitFor(async () => {
      const sessions = `select 1 from pg_stat_activity where usename like 'v-%'`
      expect(await servers.database.query(sessions)).toHaveLength(good.totalCount)
    })
  })

  it('takes a max of 0 for the default, as pg.Pool does', async () => {
    const pool = await servers.pool({ max: 0 })
    await pool.query('select 1')
    await pool.lease.rotate()
    expect(pool.options.max).toBe(10)
  }, 10_000)

  it.each<[string, object, RegExp]>([
    ['a misspelt role', { roel: 'app' }, /"roel" is not an option, did you mean "role"/],
    ['a misspelt mount', { mout: 'database' }, /did you mean "mount"/],
    ['a user', { user: 'me' }, /Leave out "user"/],
    ['a password', { password: 'hunter2' }, /Leave out "password"/],
    ['a user in the connection string', { connectionString: 'postgresql://me@db/app' }, /Leave the user/],
    ['a password there', { connectionString: 'postgresql://db/app?password=x' }, /Leave the user/],
    [
      'a connection string without a database',
      { ...nowhere, connectionString: 'postgresql://db' },
      /Which data/,
    ],
    ['no database', nowhere, /Which database\?/],
    ['connections for replication', { replication: 'database' }, /Leave out "replication"/],
    ['a port that is none', { port: 'tcp://10.0.0.1:5432' }, /"port" takes a number/],
    ['a negative port', { port: -1 }, /"port" takes a number/],
    ['a port beyond all', { port: 65_536 }, /"port" takes a number/],
    ['a host that is none', { host: 42 }, /"host" takes a text/],
    ['a database that is none', { database: 5 }, /"database" takes a text/],
    ['a pool without room', { max: -1 }, /"max" takes a number, 0 at least/],
    ['no role', { role: undefined }, /Which database role\?/],
    ['a role with a slash', { role: '../sys' }, /role/],
    ['a role with a fragment', { role: 'app#x' }, /role "app#x" holds "#"/],
    ['a lease that is none', { role: undefined, lease: {} }, /The option "lease" takes what createLease/],
    ['a misspelt option of rotation', { rotation: { drainTimeout: 1 } }, /drainTimeoutMs/],
  ])('refuses %s before anything is sent', (_name, options, message) => {
    const all: VaultPoolOptions = { role: 'app', database: 'app', ...options }
    expect(() => new VaultPool(all)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_OPTION' }))
    expect(() => new VaultPool(all)).toThrow(message)
  })

  it('refuses a lease beside the options of one', () => {
    const lease = createLease({ vault: { address: servers.vault.address, auth: token('t') }, role: 'app' })
    expect(() => new VaultPool({ lease, role: 'app', database: 'app' })).toThrow(
      'Give either "lease" or "role"',
    )
  })
})

import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { createPool, createPoolCluster, type VaultPool, type VaultPoolOptions } from '../src/index.ts'
import { createPoolCluster as createPromisePoolCluster } from '../src/promise.ts'
import { ask, connectionOf, failureOf, type Servers, startServers, userOf } from './servers.ts'

describe('a pool of createPool() keeps to the options of mysql2', () => {
  let servers: Servers
  beforeAll(async () => {
    servers = await startServers()
  })
  afterEach(() => servers.endAll())
  afterAll(() => servers?.[Symbol.asyncDispose]())

  const sessions = async (): Promise<number> => {
    const rows = await servers.database.query(
      `select 1 from information_schema.processlist where user like 'v-%' and command <> 'Quit'`,
    )
    return rows.length
  }
  const isServedByTheUserInForce = async (pool: VaultPool): Promise<void> =>
    expect(await userOf(pool)).toBe(pool.lease.status().username)

  it('resetOnRelease: what a holder leaves behind is gone, and no session of an old user is left', async () => {
    const pool = await servers.pool({ resetOnRelease: true, connectionLimit: 2 })
    const connection = await connectionOf(pool)
    await ask(connection, 'set @mine = 1')
    connection.release()
    expect(await ask(pool, 'select @mine as mine')).toEqual([{ mine: null }])
    const [first, second] = await Promise.all([connectionOf(pool), connectionOf(pool)])
    second.release()
    await pool.lease.rotate()
    first.release()
    await vi.waitFor(async () => expect(await sessions()).toBe(0), { timeout: 10_000 })
  })

  it('resetOnRelease: a connection that is being reset while the user is replaced is closed afterwards', async () => {
    const pool = await servers.pool({ resetOnRelease: true, connectionLimit: 2 })
    const connection = await connectionOf(pool)
    const published = new Promise<void>((resolve) => pool.lease.once('rotated', () => resolve()))
    const reset = vi.spyOn(connection, 'reset').mockImplementation((done) => {
      void published.then(() => done?.(null))
    })
    connection.release()
    await pool.lease.rotate()
    expect(reset).toHaveBeenCalledOnce()
    await vi.waitFor(async () => expect(await sessions()).toBe(0), { timeout: 10_000 })
  })

  it('maxIdle and idleTimeout: connections that nobody needs are closed, those of the new user too', async () => {
    const pool = await servers.pool({ maxIdle: 1, idleTimeout: 200 })
    const all = () => Promise.all([1, 2, 3].map(() => ask(pool, 'do sleep(0.05)')))
    await all()
    const retired = once(pool.lease, 'retired')
    await pool.lease.rotate()
    await retired
    await all()
    expect(await sessions()).toBeGreaterThan(0)
    await vi.waitFor(async () => expect(await sessions()).toBe(0), { timeout: 5_000 })
    await isServedByTheUserInForce(pool)
  })

  it.each<[string, VaultPoolOptions, string]>([
    ['queueLimit', { queueLimit: 1, connectionLimit: 1 }, 'Queue limit reached.'],
    ['waitForConnections', { waitForConnections: false, connectionLimit: 1 }, 'No connections available.'],
  ])('%s: refuses whom the pool would refuse', async (_name, options, message) => {
    const pool = await servers.pool(options)
    const held = await connectionOf(pool)
    const waiting = options.queueLimit ? ask(pool, 'select 1') : undefined
    await expect(ask(pool, 'select 1')).rejects.toThrow(message)
    held.release()
    await waiting
    await isServedByTheUserInForce(pool)
  })

  it.each<[string, VaultPoolOptions]>([
    ['queueLimit', { queueLimit: 1, connectionLimit: 2 }],
    ['waitForConnections', { waitForConnections: false, connectionLimit: 2 }],
  ])('%s: refuses nobody because a connection is being replaced', async (_name, options) => {
    const pool = await servers.pool(options)
    let stop = false
    const worker = async (): Promise<void> => {
      while (!stop) await ask(pool, 'select 1')
    }
    const most = 2 + (options.queueLimit ?? 0)
    const workers = Promise.all(Array.from({ length: most }, worker))
    for (let rotation = 0; rotation < 10; rotation++) {
      await sleep(20)
      await pool.lease.rotate()
    }
    stop = true
    await workers
  })

  it('waitForConnections: refuses nobody in the moment in which the idle connections are closed', async () => {
    const pool = await servers.pool({ waitForConnections: false, connectionLimit: 3 })
    const all = async (): Promise<void> => {
      const held = await Promise.all([connectionOf(pool), connectionOf(pool), connectionOf(pool)])
      for (const connection of held) connection.release()
    }
    await all()
    for (let rotation = 0; rotation < 5; rotation++) {
      await pool.lease.rotate()
      await all()
    }
  })

  it('gracefulEnd: end() of a connection closes it, and end() of the pool everything', async () => {
    const pool = await servers.pool({ gracefulEnd: true, connectionLimit: 1 })
    const connection = await connectionOf(pool)
    await new Promise((resolve) => connection.end(resolve))
    await isServedByTheUserInForce(pool)
    await pool.lease.rotate()
    await isServedByTheUserInForce(pool)
  })

  it('connectionLimit 0: as many connections as are asked for, and all are replaced', async () => {
    const pool = await servers.pool({ connectionLimit: 0 })
    const held = await Promise.all(Array.from({ length: 12 }, () => connectionOf(pool)))
    expect(await sessions()).toBe(12)
    await pool.lease.rotate()
    for (const connection of held) connection.release()
    await vi.waitFor(async () => expect(await sessions()).toBeLessThanOrEqual(1), { timeout: 10_000 })
    await isServedByTheUserInForce(pool)
  })

  it('uri: where the database is, without a user', async () => {
    const { host, port, database } = servers.database
    const uri = `mysql://${host}:${port}/${database}?connectionLimit=1&multipleStatements=true`
    const pool = createPool({ lease: await servers.lease(), uri })
    expect(await ask(pool, 'select database() as name; select 1')).toHaveLength(2)
    expect(pool.config.connectionLimit).toBe(1)
    await pool.lease.rotate()
    await isServedByTheUserInForce(pool)
    await pool.end()
  })

  it('stream: every connection goes through the caller’s own', async () => {
    const { host, port } = servers.database
    let opened = 0
    const pool = await servers.pool({
      host: 'nowhere.invalid',
      stream: () => {
        opened++
        return connect(port, host)
      },
    })
    await isServedByTheUserInForce(pool)
    await pool.lease.rotate()
    await isServedByTheUserInForce(pool)
    // One to prove and use, one to prove, one to use.
    expect(opened).toBe(3)
  })

  it('stream: one that throws fails the query, and nothing else', async () => {
    const { host, port } = servers.database
    let opened = 0
    const pool = await servers.pool({
      stream: () => {
        if (opened++ === 1) throw new Error('no tunnel')
        return connect(port, host)
      },
    })
    const inUse = await connectionOf(pool)
    await expect(ask(pool, 'select 1')).rejects.toThrow('no tunnel')
    inUse.release()
    await isServedByTheUserInForce(pool)
  })

  it('stream: one that throws while a user is proven is why there is no credential', async () => {
    const pool = await servers.pool({
      stream: () => {
        throw new Error('no tunnel')
      },
    })
    expect(await failureOf(ask(pool, 'select 1'))).toMatchObject({
      code: 'ERR_CREDENTIALS_UNAVAILABLE',
      cause: { code: 'ERR_CREDENTIAL_NOT_PROVEN', cause: { message: 'no tunnel' } },
    })
  })

  it.each<[string, VaultPoolOptions]>([
    ['rowsAsArray', { rowsAsArray: true }],
    ['nestTables', { nestTables: true }],
    ['typeCast', { typeCast: () => 'cast' }],
    ['namedPlaceholders', { namedPlaceholders: true }],
    ['compress', { compress: true }],
    ['disableEval', { disableEval: true }],
    ['queryFormat', { queryFormat: (sql: string) => sql.replace('?', ':never') }],
    ['connectTimeout 0, which is none,', { connectTimeout: 0 }],
    ['enableKeepAlive', { enableKeepAlive: true, keepAliveInitialDelay: 1_000 }],
  ])('%s does not keep a user from being proven', async (_name, options) => {
    const pool = await servers.pool(options)
    await new Promise<void>((resolve, reject) =>
      pool.query('do 1', (error) => (error ? reject(error) : resolve())),
    )
    await pool.lease.rotate()
    expect(pool.lease.status()).toMatchObject({ state: 'ready', generation: 2 })
  })

  it('Promise: the promises of the promise pool are the caller’s', async () => {
    class OwnPromise<T> extends Promise<T> {}
    const pool = await servers.promisePool({ Promise: OwnPromise })
    const queried = pool.query('select 1')
    expect(queried).toBeInstanceOf(OwnPromise)
    await queried
  })

  describe('end()', () => {
    it('lets what runs and what waits finish, and is one end however often it is called', async () => {
      const pool = await servers.pool({ connectionLimit: 1 })
      const connection = await connectionOf(pool)
      await ask(connection, 'start transaction')
      const queued = Array.from({ length: 5 }, () => ask(pool, 'select 1 as one'))
      const ended = [pool.end(), pool.end(), new Promise((resolve) => pool.end(resolve))]
      await expect(ask(pool, 'select 1')).rejects.toThrow('Pool is closed.')
      await sleep(50)
      await ask(connection, `insert into items (name) values ('last')`)
      await ask(connection, 'commit')
      connection.release()
      expect(await Promise.all(queued)).toHaveLength(5)
      await Promise.all(ended)
      expect(await servers.engine.users()).toEqual([])
      expect(await servers.database.query(`select name from items where name = 'last'`)).toHaveLength(1)
    })

    it('serves what waits for the first credential', async () => {
      const pool = await servers.pool({ connectionLimit: 2 })
      const burst = Promise.all(Array.from({ length: 8 }, () => ask(pool, 'select 1')))
      await pool.end()
      expect(await burst).toHaveLength(8)
    })

    it('serves what waits when somebody traces the pool, while connections are replaced', async () => {
      const channels = ['start', 'end', 'asyncStart', 'asyncEnd', 'error'].map(
        (part) => `tracing:mysql2:pool:connect:${part}`,
      )
      const trace = (): void => {}
      for (const channel of channels) subscribe(channel, trace)
      try {
        const pool = await servers.pool({ connectionLimit: 1 })
        const held = await connectionOf(pool)
        const waiting = Promise.all(Array.from({ length: 5 }, () => ask(pool, 'select 1')))
        const ended = pool.end()
        held.destroy()
        expect(await waiting).toHaveLength(5)
        await ended
      } finally {
        for (const channel of channels) unsubscribe(channel, trace)
      }
    })

    it('is what the end of an `await using` block calls', async () => {
      const pool = await servers.promisePool()
      {
        await using scoped = pool
        await scoped.query('select 1')
        await using connection = await scoped.getConnection()
        await connection.query('select 1')
      }
      expect(pool.lease.status().state).toBe('closed')
      expect(await servers.engine.users()).toEqual([])
    })

    it('waits for a holder, at most until the time to close has passed', async () => {
      const pool = await servers.pool({ connectionLimit: 1 })
      const connection = await connectionOf(pool)
      const heard = new Promise((resolve) => connection.on('error', resolve))
      await pool.end()
      expect(await heard).toMatchObject({ code: 'ERR_LEASE_CLOSED' })
      expect(await sessions()).toBe(0)
    })
  })

  it.each<[string, object, RegExp]>([
    ['a misspelt role', { roel: 'app' }, /"roel" is not an option, did you mean "role"/],
    ['a misspelt mount', { mout: 'database' }, /did you mean "mount"/],
    ['a user', { user: 'me' }, /Leave out "user"/],
    ['a password', { password: 'hunter2' }, /Leave out "password"/],
    ['a password of another name', { password1: 'hunter2' }, /Leave out "password1"/],
    ['the hash of a password', { passwordSha1: 'hunter2' }, /Leave out "passwordSha1"/],
    ['a user in the URI', { uri: 'mysql://me@db/app' }, /Leave the user/],
    ['a password there', { uri: 'mysql://:hunter2@db/app' }, /Leave the user/],
    ['a password among its parameters', { uri: 'mysql://db/app?password1=hunter2' }, /Leave the user/],
    ['a URI that is none', { uri: '//me:hunter2@db' }, /"uri" is not a URL/],
    ['one stream for all', { stream: new Object() }, /"stream" has to be a function/],
    ['a port that is none', { port: 'tcp://10.0.0.1:3306' }, /"port" takes a number/],
    ['a host that is none', { host: 5 }, /"host" takes a text/],
    ['a pool without room', { connectionLimit: -1 }, /"connectionLimit" takes a number, 0 at least/],
    ['setRole', { setRole: 'owner' }, /"setRole" is for PostgreSQL/],
    ['no role', { role: undefined }, /Which database role\?/],
    ['a role with a slash', { role: '../sys' }, /role/],
    ['a lease that is none', { role: undefined, lease: {} }, /The option "lease" takes what createLease/],
    ['a misspelt option of rotation', { rotation: { drainTimeout: 1 } }, /drainTimeoutMs/],
  ])('refuses %s before anything is sent', (_name, options, message) => {
    const all: VaultPoolOptions = { role: 'app', database: 'app', ...options }
    expect(() => createPool(all)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_OPTION' }))
    expect(() => createPool(all)).toThrow(message)
    expect(() => createPool(all)).toThrow(expect.not.stringContaining('hunter2'))
  })

  it('refuses a pool cluster, and says what to do instead', () => {
    for (const create of [createPoolCluster, createPromisePoolCluster])
      expect(create).toThrow(
        expect.objectContaining({
          code: 'ERR_INVALID_OPTION',
          message: expect.stringContaining('one createPool()'),
        }),
      )
  })
})

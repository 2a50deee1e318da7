import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { openFaultProxy } from '@vault-lease/testing'
import pg from 'pg'
import Cursor from 'pg-cursor'
import QueryStream from 'pg-query-stream'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type Servers, startServers } from './servers.ts'

const cwd = fileURLToPath(new URL('..', import.meta.url))

describe('a VaultPool is a pg.Pool', () => {
  let servers: Servers
  beforeAll(async () => {
    servers = await startServers()
  })
  afterEach(() => servers.endAll())
  afterAll(() => servers?.[Symbol.asyncDispose]())

  const userOf = async (client: pg.Pool | pg.PoolClient): Promise<string> => {
    const { rows } = await client.query<{ user: string }>('select session_user as user')
    return rows[0]?.user ?? ''
  }

  it('by class, and by its counts', async () => {
    const pool = await servers.pool()
    expect(pool).toBeInstanceOf(pg.Pool)
    const held = await Promise.all([pool.connect(), pool.connect(), pool.connect()])
    const waiting = pool.query('select 1')
    await new Promise(setImmediate)
    expect([pool.totalCount, pool.idleCount, pool.waitingCount]).toEqual([3, 0, 1])
    for (const client of held) client.release()
    await waiting
    expect([pool.totalCount, pool.idleCount, pool.waitingCount]).toEqual([3, 3, 0])
  })

  it('with promises and with callbacks', async () => {
    const pool = await servers.pool()
    const queried = await new Promise((resolve, reject) =>
      pool.query('select $1::int as one', [1], (error, { rows }) => (error ? reject(error) : resolve(rows))),
    )
    expect(queried).toEqual([{ one: 1 }])
    const connected = await new Promise((resolve, reject) =>
      pool.connect((error, client, release) => {
        if (!client) return reject(error)
        void client.query('select 2 as two', (_error, { rows }) => {
          release()
          resolve(rows)
        })
      }),
    )
    expect(connected).toEqual([{ two: 2 }])
    await new Promise<void>((resolve) => pool.end(resolve))
    await expect(pool.query('select 1')).rejects.toThrow('Cannot use a pool after calling end on the pool')
  })

  it('with its events', async () => {
    const pool = await servers.pool({ max: 1 })
    const seen: string[] = []
    for (const event of ['connect', 'acquire', 'release', 'remove'] as const)
      pool.on(event, () => seen.push(event))
    await pool.query('select 1')
    await pool.query('select 1')
    await pool.lease.rotate()
    await pool.query('select 1')
    await pool.end()
    expect(seen.slice(0, 5)).toEqual(['connect', 'acquire', 'release', 'acquire', 'release'])
    const count = (name: string) => seen.filter((event) => event === name).length
    expect(count('connect')).toBe(2)
    expect(count('remove')).toBe(2)
    expect(count('acquire')).toBe(count('release'))
  })

  it('with cursors, streams, prepared statements and type parsers', async () => {
    const pool = await servers.pool({
      types: { getTypeParser: () => (text: string) => `<${text}>` } as never,
    })
    const client = await pool.connect()
    const cursor = client.query(new Cursor('select * from generate_series(1, 5) n'))
    expect(await cursor.read(2)).toEqual([{ n: '<1>' }, { n: '<2>' }])
    await cursor.close()
    const streamed = []
    for await (const row of client.query(new QueryStream('select * from generate_series(1, 3) n')))
      streamed.push(row)
    expect(streamed).toHaveLength(3)
    const early = client.query(
      new QueryStream('select * from generate_series(1, 1000) n', [], { batchSize: 2 }),
    )
    await once(early, 'readable')
    early.destroy()
    await once(early, 'close')
    for (const value of [1, 2]) {
      const { rows } = await client.query({ name: 'same', text: 'select $1::int as value', values: [value] })
      expect(rows).toEqual([{ value: `<${value}>` }])
    }
    client.release()
  })

  it('with the caller’s Client, onConnect, connectionString and limits', async () => {
    const { host, port, database } = servers.database
    class OwnClient extends pg.Client {
      readonly own = true
    }
    const connected: unknown[] = []
    const pool = await servers.pool({
      Client: OwnClient,
      connectionString: `postgresql://${host}:${port}/${database}?application_name=own`,
      onConnect: async (client) => void connected.push(client),
      maxUses: 2,
    })
    const client = await pool.connect()
    expect(client).toBeInstanceOf(OwnClient)
    expect(connected).toEqual([client])
    const { rows } = await client.query('select current_setting($1) as name', ['application_name'])
    expect(rows).toEqual([{ name: 'own' }])
    client.release()
    await pool.query('select 1')
    expect(pool.totalCount).toBe(0)
  })

  it('that removes idle connections, and those that are released with an error', async () => {
    const pool = await servers.pool({ idleTimeoutMillis: 50 })
    await pool.query('select 1')
    await once(pool, 'remove')
    expect(pool.totalCount).toBe(0)
    const client = await pool.connect()
    client.release(new Error('do not use it again'))
    await once(pool, 'remove')
    expect(pool.totalCount).toBe(0)
  })

  it('that refuses to release twice, also when the connection was replaced in between', async () => {
    const pool = await servers.pool()
    const [first, second] = await Promise.all([pool.connect(), pool.connect()])
    first.release()
    expect(() => first.release()).toThrow('already been released')
    await pool.lease.rotate()
    second.release()
    expect(() => second.release()).toThrow('already been released')
    await pool.query('select 1')
  })

  it('that is as well after a query error as before', async () => {
    const pool = await servers.pool({ max: 1 })
    await expect(pool.query('select nonsense')).rejects.toMatchObject({ code: '42703' })
    expect(await userOf(pool)).toBe(pool.lease.status().username)
    expect(pool.totalCount).toBe(1)
  })

  it('that times out an acquire on a full pool', async () => {
    const pool = await servers.pool({ max: 1, connectionTimeoutMillis: 1_500 })
    await pool.lease.ready()
    const client = await pool.connect()
    await expect(pool.query('select 1')).rejects.toThrow('timeout exceeded when trying to connect')
    client.release()
    await pool.query('select 1')
  })

  it('that logs in once to prove a user when it is not full, whether its connections are idle or in use', async () => {
    await using way = await openFaultProxy(servers.place)
    const pool = await servers.pool({ host: way.host, port: way.port, max: 5 })
    const held = await Promise.all([pool.connect(), pool.connect()])
    const before = way.accepted
    await pool.lease.rotate()
    expect(way.accepted - before).toBe(1)
    const retired = once(pool.lease, 'retired')
    for (const client of held) client.release()
    await retired
    await Promise.all([userOf(pool), userOf(pool)])
    expect(pool.idleCount).toBe(2)
    const between = way.accepted
    await pool.lease.rotate()
    expect(way.accepted - between).toBe(1)
  })

  it('whose LISTEN client is retired when it is released', async () => {
    const pool = await servers.pool()
    const listener = await pool.connect()
    await listener.query('listen news')
    const before = await userOf(listener)
    await pool.lease.rotate()
    const heard = once(listener, 'notification')
    await pool.query(`notify news, 'hello'`)
    expect((await heard)[0]).toMatchObject({ channel: 'news', payload: 'hello' })
    expect(await userOf(listener)).toBe(before)
    const retired = once(pool.lease, 'retired')
    listener.release()
    expect((await retired)[0]).toMatchObject({ username: before, forced: 0 })
    expect(await userOf(pool)).not.toBe(before)
  })

  it('whose LISTEN client hears why it is closed when it is held beyond the time to drain', async () => {
    const pool = await servers.pool({ rotation: { drainTimeoutMs: 300 } })
    const listener = await pool.connect()
    const closed = once(listener, 'error').catch((error: unknown) => [error])
    const failed = new Promise((resolve) => listener.on('error', resolve))
    await listener.query('listen news')
    await pool.lease.rotate()
    expect(await failed).toMatchObject({ code: 'ERR_CONNECTION_RETIRED' })
    await closed
    const refused = { code: 'ERR_CONNECTION_RETIRED' }
    await expect(listener.query('select 1')).rejects.toMatchObject(refused)
    expect(await new Promise((resolve) => listener.query('select 1', resolve))).toMatchObject(refused)
    await expect(listener.query(new Cursor('select 1')).read(1)).rejects.toMatchObject(refused)
    listener.release()
    await pool.query('select 1')
  })

  it('on a lease of the caller’s, which two pools may share and neither closes', async () => {
    const lease = await servers.lease()
    const pools = [await servers.pool({ lease }), await servers.pool({ lease })] as const
    const users = await Promise.all(pools.map(userOf))
    expect(users[0]).toBe(users[1])
    await lease.rotate()
    expect(await userOf(pools[0])).toBe(lease.current?.username)
    await pools[0].end()
    expect(lease.status().state).toBe('ready')
    expect(await userOf(pools[1])).toBe(lease.current?.username)
  })

  it('that by its environment alone works in a process, which ends when the pool has', async () => {
    const script = `
      import { VaultPool } from '@vault-lease/pg'
      const pool = new VaultPool()
      const { rows } = await pool.query('select session_user as user')
      console.log(rows[0].user)
      await pool.end()`
    const args = ['--conditions=@vault-lease/source', '--import', 'tsx', '--input-type=module', '-e', script]
    const env = await servers.environment()
    const { stdout } = await promisify(execFile)(process.execPath, args, { cwd, env, timeout: 30_000 })
    expect(stdout).toMatch(/^v-token-app-/)
  })

  it.each([
    ['', ''],
    ['with two pools on one lease, ', 'new VaultPool({ allowExitOnIdle: true })'],
  ])(
    'that keeps an idle process alive no longer than allowExitOnIdle wants it to: %sit ends, and leaves no user',
    async (_what, another) => {
      const script = `
      import { VaultPool } from '@vault-lease/pg'
      const pool = new VaultPool({ allowExitOnIdle: true, idleTimeoutMillis: 60_000 })
      ${another}
      await pool.query('select 1')
      console.log(performance.now())
      process.on('exit', () => console.log(performance.now()))`
      const args = [
        '--conditions=@vault-lease/source',
        '--import',
        'tsx',
        '--input-type=module',
        '-e',
        script,
      ]
      const env = await servers.environment()
      const { stdout } = await promisify(execFile)(process.execPath, args, { cwd, env, timeout: 30_000 })
      const [queried = 0, exited = Number.NaN] = stdout.trim().split('\n').map(Number)
      expect(exited - queried).toBeLessThan(6_000)
      expect(await servers.engine.users()).toEqual([])
    },
  )
})

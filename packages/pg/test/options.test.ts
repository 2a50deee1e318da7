import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type pg from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { type Servers, startServers } from './servers.ts'

describe('a VaultPool keeps to the options and events of pg.Pool', () => {
  let servers: Servers
  beforeAll(async () => {
    servers = await startServers()
  })
  afterEach(() => servers.endAll())
  afterAll(() => servers?.[Symbol.asyncDispose]())

  it('verify: each new connection is shown to the caller, who may refuse it', async () => {
    let acceptable = true
    const shown: unknown[] = []
    const verify = (client: pg.PoolClient, done: (error?: Error) => void): void => {
      shown.push(client)
      done(acceptable ? undefined : new Error('not this one'))
    }
    const pool = await servers.pool({ verify })
    const client = await pool.connect()
    expect(shown).toEqual([client])
    acceptable = false
    await expect(pool.connect()).rejects.toThrow('not this one')
    expect(pool.totalCount).toBe(1)
    client.release()
  })

  it('maxLifetimeSeconds: a connection that is too old is replaced', async () => {
    const pool = await servers.pool({ maxLifetimeSeconds: 1 })
    await pool.query('select 1')
    await once(pool, 'remove')
    expect(pool.totalCount).toBe(0)
    await pool.query('select 1')
  })

  it('min: so many connections stay when they are idle, but none of a user that was replaced', async () => {
    const pool = await servers.pool({ min: 1, idleTimeoutMillis: 50 })
    await Promise.all([pool.query('select pg_sleep(0.02)'), pool.query('select pg_sleep(0.02)')])
    await vi.waitFor(() => expect(pool.totalCount).toBe(1), { timeout: 10_000 })
    await sleep(100)
    expect(pool.totalCount).toBe(1)
    const retired = once(pool.lease, 'retired')
    await pool.lease.rotate()
    await retired
    expect(pool.totalCount).toBe(0)
  })

  it.each<[string, pg.PoolConfig, string, object]>([
    ['statement_timeout', { statement_timeout: 50 }, 'select pg_sleep(10)', { code: '57014' }],
    ['query_timeout', { query_timeout: 50 }, 'select pg_sleep(0.5)', { message: 'Query read timeout' }],
  ])('%s', async (_name, options, sql, error) => {
    const pool = await servers.pool(options)
    await expect(pool.query(sql)).rejects.toMatchObject(error)
    await pool.query('select 1')
    expect(pool.lease.status().generation).toBe(1)
  })

  it('idle_in_transaction_session_timeout: the holder hears of it, and the pool goes on', async () => {
    const pool = await servers.pool({ max: 1, idle_in_transaction_session_timeout: 50 })
    const client = await pool.connect()
    await client.query('begin')
    const [error] = await new Promise<unknown[]>((resolve) =>
      client.once('error', (...args) => resolve(args)),
    )
    expect(error).toMatchObject({ code: '25P03' })
    await expect(client.query('select 1')).rejects.toThrow()
    client.release()
    await pool.query('select 1')
    expect(pool.lease.status().generation).toBe(1)
  })

  it('events: each tells which client it is about', async () => {
    const pool = await servers.pool({ max: 1 })
    const told = new Map<string, unknown>()
    for (const event of ['connect', 'acquire', 'remove'] as const)
      pool.on(event, (client) => told.set(event, client))
    pool.on('release', (_error, client) => told.set('release', client))
    const client = await pool.connect()
    client.release(true)
    await once(pool, 'remove')
    expect([...told.keys()]).toEqual(['connect', 'acquire', 'release', 'remove'])
    expect([...told.values()].every((about) => about === client)).toBe(true)
  })

  it('error: the loss of an idle connection is told, and the pool goes on', async () => {
    const pool = await servers.pool({ max: 1 })
    const client = await pool.connect()
    client.release()
    const lost = new Promise<unknown[]>((resolve) => pool.once('error', (...args) => resolve(args)))
    await servers.database.query(
      `select pg_terminate_backend(pid) from pg_stat_activity where usename like 'v-%'`,
    )
    const [error, about] = await lost
    expect(error).toMatchObject({ code: '57P01' })
    expect(about).toBe(client)
    await pool.query('select 1')
  })

  it('end: twice is once, and afterwards nobody connects', async () => {
    const pool = await servers.pool()
    await pool.query('select 1')
    await Promise.all([pool.end(), pool.end()])
    const refusal = 'Cannot use a pool after calling end on the pool'
    await expect(pool.connect()).rejects.toThrow(refusal)
    expect(await new Promise((resolve) => pool.connect(resolve))).toEqual(new Error(refusal))
    expect([pool.ended, pool.totalCount]).toEqual([true, 0])
  })

  it('end: serves the queries before it, those that wait for the first credential too', async () => {
    const pool = await servers.pool({ max: 2 })
    const burst = Promise.all(Array.from({ length: 8 }, () => pool.query('select 1')))
    await pool.end()
    expect(await burst).toHaveLength(8)
  })

  it('end: is not held up by a queue behind a client that is never released', async () => {
    const pool = await servers.pool({ max: 1, connectionTimeoutMillis: 1_500 })
    await pool.connect()
    const queued = pool.query('select 1').catch((error: Error) => error.message)
    await pool.end()
    expect(await queued).toBe('timeout exceeded when trying to connect')
  })

  it('end: while a client is held, a rotation of a shared lease waits without blocking the process', async () => {
    const lease = await servers.lease()
    const pool = await servers.pool({ lease, max: 1 })
    const client = await pool.connect()
    const ended = pool.end()
    const rotation = lease.rotate()
    await sleep(100)
    await client.query('select 1')
    client.release()
    await Promise.all([ended, rotation])
  })

  it('a process that does not end its pool lives on as long as with pg.Pool', async () => {
    const lifetime = async (makePool: string): Promise<number> => {
      const script = `
        import pg from 'pg'
        import { VaultPool } from '@vault-lease/pg'
        const pool = ${makePool}
        await pool.query('select 1')
        const queried = performance.now()
        process.on('exit', () => console.log(performance.now() - queried))`
      const args = [
        '--conditions=@vault-lease/source',
        '--import',
        'tsx',
        '--input-type=module',
        '-e',
        script,
      ]
      const cwd = fileURLToPath(new URL('..', import.meta.url))
      const env = await servers.environment()
      const { stdout } = await promisify(execFile)(process.execPath, args, { cwd, env, timeout: 30_000 })
      return Number(stdout)
    }
    const { user, password } = servers.database.superuser
    const [plain, ours] = await Promise.all([
      lifetime(`new pg.Pool({ user: '${user}', password: '${password}', idleTimeoutMillis: 500 })`),
      lifetime('new VaultPool({ idleTimeoutMillis: 500 })'),
    ])
    expect(ours).toBeGreaterThan(400)
    expect(ours).toBeLessThan(plain + 500)
    await servers.engine.revokePrefix(servers.role)
  })
})

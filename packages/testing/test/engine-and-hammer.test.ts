import { setTimeout as sleep } from 'node:timers/promises'
import {
  type DatabaseEngine,
  type DatabaseServer,
  databaseEngine,
  hammer,
  startPostgres,
  startVault,
  type VaultServer,
  watchSessions,
} from '@vault-lease/testing'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'

describe('the database engine, the session watch and the hammer', () => {
  let postgres: DatabaseServer
  let vault: VaultServer
  let engine: DatabaseEngine
  beforeAll(async () => {
    const both = await Promise.all([startPostgres(), startVault()])
    postgres = both[0]
    vault = both[1]
    await postgres.query('create table items (id int)')
    engine = await databaseEngine(vault, postgres)
    await engine.role('app', { ttl: '1m', maxTtl: '5m' })
  })
  afterAll(() => Promise.all([postgres?.stop(), vault?.stop()]))

  async function clientOf({ mount }: DatabaseEngine): Promise<{ client: pg.Client; user: string }> {
    const { body } = await vault.must('GET', `${mount}/creds/app`)
    const { username: user, password } = body.data
    const { host, port, database } = postgres
    const client = new pg.Client({ host, port, database, user, password })
    client.on('error', () => {})
    await client.connect()
    return { client, user }
  }

  it('two engines on one server, one of them at a mount of several segments', async () => {
    const other = await databaseEngine(vault, postgres, { mount: 'teams/one/database' })
    await other.role('app', { ttl: '1m', maxTtl: '5m' })
    const token = await other.createToken()
    const { status, body } = await vault.call('GET', `${other.mount}/creds/app`, undefined, { token })
    expect(status).toBe(200)
    expect((await vault.call('GET', 'database/creds/app', undefined, { token })).status).toBe(403)
    const { roleId, secretId, mount } = await other.createAppRole()
    const login = await vault.must('POST', `auth/${mount}/login`, { role_id: roleId, secret_id: secretId })
    const lease = { lease_id: body.lease_id }
    const asApp = { token: login.body.auth.client_token }
    expect((await vault.call('PUT', 'sys/leases/renew', lease, asApp)).status).toBe(200)
    expect(await other.leases('app')).toHaveLength(1)
    expect(await engine.leases('app')).toEqual([])
    await other.revokePrefix('app')
    expect(await engine.users()).toEqual([])
  })

  it('a session that is open when its user is dropped is counted', async () => {
    const before = (await engine.drops()).length
    const { client, user } = await clientOf(engine)
    const at = Date.now()
    await engine.revokePrefix('app')
    const [drop] = (await engine.drops()).slice(before)
    expect(drop).toMatchObject({ username: user, openSessions: 1 })
    expect(Math.abs((drop?.at ?? 0) - at)).toBeLessThan(2_000)
    await client.end()
  })

  it('the watch sees a session that lives for 50 ms', async () => {
    const watch = await watchSessions(postgres)
    const { client, user } = await clientOf(engine)
    await sleep(50)
    await client.end()
    await sleep(100)
    const { timeline, mostAtOnce } = await watch.stop()
    expect(mostAtOnce).toBe(1)
    expect(timeline.map(({ sessions }) => sessions)).toEqual([{}, { [user]: 1 }, {}])
    await engine.revokePrefix('app')
  })

  it('the engine makes any number of roles and logins at once', async () => {
    const made = Array.from({ length: 20 }, async (_, n) => {
      const [login] = await Promise.all([
        engine.createAppRole(),
        engine.createToken(),
        engine.role(`many-${n}`, { ttl: '1m', maxTtl: '2m' }),
      ])
      return login.secretId
    })
    expect(new Set(await Promise.all(made)).size).toBe(20)
  })

  it('the watch goes on after a restart of the server', async () => {
    const watch = await watchSessions(postgres)
    await postgres.restart()
    const { client, user } = await clientOf(engine)
    await sleep(100)
    await client.end()
    const { timeline } = await watch.stop()
    expect(timeline.some(({ sessions }) => sessions[user] === 1)).toBe(true)
    await engine.revokePrefix('app')
  })

  it('the hammer reports what the server saw meanwhile, and nothing from before', async () => {
    const gone = await clientOf(engine)
    await gone.client.end()
    await engine.revokePrefix('app')
    const { client, user } = await clientOf(engine)
    const { queries, failed, server } = await hammer({
      run: { query: () => client.query('select * from items') },
      workers: 1,
      until: sleep(200).then(() => engine.revokePrefix('app')),
      watch: { server: postgres, engine },
    })
    expect(queries).toBeGreaterThan(10)
    expect(failed).toBeLessThan(queries)
    expect(server?.mostAtOnce).toBe(1)
    expect(server?.sessions.some(({ sessions }) => sessions[user] === 1)).toBe(true)
    expect(server?.drops).toEqual([expect.objectContaining({ username: user, openSessions: 1 })])
    await client.end()
  })

  it('the hammer counts failures by code, else by name, even those that are no errors', async () => {
    const thrown = [
      Object.assign(new Error('lost'), { code: 'ECONNRESET' }),
      new TypeError('no'),
      'a text',
      undefined,
      0,
    ]
    let turn = 0
    const { queries, failed, failures, firstErrors } = await hammer({
      run: {
        async query() {
          if (turn < thrown.length) throw thrown[turn++]
          await sleep(5)
        },
      },
      workers: 1,
      until: 100,
    })
    expect(failures).toEqual({ ECONNRESET: 1, TypeError: 1, 'a text': 1, Error: 1, '0': 1 })
    expect(failed).toBe(thrown.length)
    expect(queries).toBeGreaterThan(failed)
    expect(firstErrors['ECONNRESET']).toBe(thrown[0])
  })

  it('the hammer keeps every worker busy, and stops when it is told, with everything finished', async () => {
    let running = 0
    let most = 0
    const { queries, p50Ms, p99Ms, maxMs, timeline } = await hammer({
      run: {
        async query() {
          most = Math.max(most, ++running)
          await sleep(10)
          running--
        },
      },
      workers: 7,
      until: sleep(500),
    })
    expect(most).toBe(7)
    expect(running).toBe(0)
    expect(queries).toBeGreaterThan(7 * 25)
    expect(p50Ms).toBeGreaterThan(9)
    expect(p99Ms).toBeGreaterThanOrEqual(p50Ms)
    expect(maxMs).toBeGreaterThanOrEqual(p99Ms * 0.99)
    expect(timeline.reduce((sum, bucket) => sum + bucket.queries, 0)).toBe(queries)
  })

  it('the hammer gives its workers time to think, and does not wait for them when it is told to stop', async () => {
    const warned = vi.fn()
    process.on('warning', warned)
    let thinks = 0
    const { queries, tookMs } = await hammer({
      run: { query: async () => {} },
      workers: 20,
      thinkMs: () => (thinks++ < 60 ? 20 : 60_000),
      until: 500,
    })
    expect(queries).toBe(80)
    expect(tookMs).toBeLessThan(5_000)
    expect(warned).not.toHaveBeenCalled()
    process.off('warning', warned)
  })

  it('the hammer stops its workers when what it waits for fails', async () => {
    let queries = 0
    const hammering = hammer({
      run: { query: async () => void (await sleep(1, queries++)) },
      workers: 2,
      until: sleep(50).then(() => Promise.reject(new Error('failed'))),
    })
    await expect(hammering).rejects.toThrow('failed')
    const atTheEnd = queries
    await sleep(50)
    expect(queries).toBe(atTheEnd)
  })
})

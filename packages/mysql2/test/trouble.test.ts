import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import type { VaultPool, VaultPoolOptions } from '../src/index.ts'
import { ask, connectionOf, failureOf, running, type Servers, startServers } from './servers.ts'

const locked = [`CREATE USER '{{name}}'@'%' IDENTIFIED BY '{{password}}' ACCOUNT LOCK`]
const untilReady = { timeout: 15_000, interval: 50 }

describe('a pool of createPool() in trouble', () => {
  let servers: Servers
  beforeAll(async () => {
    servers = await startServers()
    await servers.database.query(
      `create procedure count_items() sql security definer select count(*) from items`,
    )
  })
  afterEach(async () => {
    servers.database.resume()
    servers.vault.resume()
    await servers.endAll()
  })
  afterAll(() => servers?.stop())

  const asSuperuser = (sql: string) => servers.database.query(sql)
  const changePassword = (user: string | undefined) =>
    asSuperuser(`alter user '${user}'@'%' identified by 'changed behind the back'`)
  const isWell = async (pool: VaultPool, generation: number): Promise<void> => {
    await ask(pool, 'select count(*) from items')
    expect(pool.lease.status()).toMatchObject({ state: 'ready', generation })
  }

  it('rotates once and connects again when the database refuses the user, and runs no statement twice', async () => {
    const pool = await servers.pool()
    const held = await Promise.all([connectionOf(pool), connectionOf(pool)])
    await changePassword(pool.lease.status().username)
    const insert = `insert into items (name) values ('once')`
    await Promise.all(Array.from({ length: 10 }, () => ask(pool, insert)))
    for (const connection of held) {
      await ask(connection, insert)
      connection.release()
    }
    expect(await ask(pool, `select 1 from items where name = 'once'`)).toHaveLength(12)
    await isWell(pool, 2)
  })

  it('rotates once when the user is gone as connections are opened', async () => {
    const pool = await servers.pool()
    const inUse = await connectionOf(pool)
    await servers.engine.revokePrefix(servers.role)
    await Promise.all(Array.from({ length: 10 }, () => ask(pool, 'select count(*) from items')))
    await isWell(pool, 2)
    inUse.release()
  })

  it('rotates when the user is locked', async () => {
    const pool = await servers.pool()
    const inUse = await connectionOf(pool)
    await asSuperuser(`alter user '${pool.lease.status().username}'@'%' account lock`)
    await isWell(pool, 2)
    inUse.release()
  })

  /** Rights to a whole database stay with the sessions that have them, those to a table or a procedure do not. */
  const poolWithRightsTo = async (
    objects: readonly string[],
    options: Pick<VaultPoolOptions, 'multipleStatements' | 'resetOnRelease'> = {},
  ): Promise<VaultPool> => {
    const role = 'by-object'
    const creationStatements = [
      `CREATE USER '{{name}}'@'%' IDENTIFIED BY '{{password}}'`,
      ...objects.map((object) => `GRANT ${object} TO '{{name}}'@'%'`),
    ]
    await servers.engine.role(role, { ttl: '60s', maxTtl: '10m', creationStatements })
    return await servers.pool({ role, connectionLimit: 1, ...options })
  }

  it.each<[string, number, string]>([
    ['statement', 1142, 'select count(*) from items'],
    ['call', 1370, 'call count_items()'],
    ['change of database', 1044, 'use app'],
  ])(
    'notices by the %s that is denied (%i) that the user was dropped, and serves the rest',
    async (_name, errno, sql) => {
      const pool = await poolWithRightsTo(['select on app.items', 'execute on procedure app.count_items'])
      await ask(pool, sql)
      await servers.engine.revokePrefix('by-object')
      expect(await failureOf(ask(pool, sql))).toMatchObject({ errno })
      await isWell(pool, 2)
    },
  )

  const count = 'select count(*) from items'
  it.each<[string, (pool: VaultPool) => Promise<() => Promise<unknown>>]>([
    ['a statement of execute()', async (pool) => () => pool.promise().execute(count)],
    [
      'a statement without a callback',
      async (pool) => async () => {
        const [error] = await once(pool.query(count), 'error')
        throw error
      },
    ],
    ['a stream', async (pool) => () => pool.query(count).stream().toArray()],
    [
      'a stream of execute()',
      async (pool) => {
        const connection = await connectionOf(pool)
        const rows = () => connection.execute(count).stream().toArray()
        return () => rows().finally(() => connection.release())
      },
    ],
    [
      'a statement that was prepared before',
      async (pool) => {
        const connection = await pool.promise().getConnection()
        const prepared = await connection.prepare(count)
        return () => prepared.execute([]).finally(() => connection.release())
      },
    ],
    ['the second of two statements', async (pool) => () => ask(pool, `select 1; ${count}`)],
  ])('notices by %s that is denied that the user was dropped', async (_name, begin) => {
    const pool = await poolWithRightsTo(['select on app.items'], { multipleStatements: true })
    await ask(pool, count)
    const run = await begin(pool)
    await servers.engine.revokePrefix('by-object')
    expect(await failureOf(run())).toMatchObject({ errno: 1142 })
    await isWell(pool, 2)
  })

  it('notices that the user was dropped although it resets connections that are given back', async () => {
    const pool = await poolWithRightsTo(['select on app.items'], { resetOnRelease: true })
    await ask(pool, count)
    await servers.engine.revokePrefix('by-object')
    expect(await failureOf(ask(pool, count))).toMatchObject({ errno: 1142 })
    await isWell(pool, 2)
  })

  it('ends in good order when a statement was denied on the last connection that is given back', async () => {
    const pool = await poolWithRightsTo(['select on app.items'])
    const connection = await connectionOf(pool)
    expect(await failureOf(ask(connection, 'delete from items'))).toMatchObject({ errno: 1142 })
    const ended = pool.end()
    await sleep(20)
    connection.release()
    await ended
    expect(await servers.engine.users()).toEqual([])
  })

  it.each<[string, number, string]>([
    ['a table', 1142, 'delete from items where id = 0'],
    ['a procedure', 1370, 'call count_items()'],
    ['a database', 1044, 'use other'],
  ])('keeps the user when only its rights to %s were taken away (%i)', async (_name, errno, sql) => {
    await asSuperuser('create database if not exists other')
    const pool = await poolWithRightsTo([
      'select, delete on app.items',
      'execute on procedure app.count_items',
      'select on other.*',
    ])
    await ask(pool, sql)
    const { username } = pool.lease.status()
    await asSuperuser(`revoke all privileges, grant option from '${username}'@'%'`)
    await asSuperuser(`grant select on app.items to '${username}'@'%'`)
    for (const _again of [1, 2]) expect(await failureOf(ask(pool, sql))).toMatchObject({ errno })
    await ask(pool, 'use app')
    await isWell(pool, 1)
  })

  it('keeps the user whose right to the whole database was taken away, says so, and goes on when it is back', async () => {
    const pool = await servers.pool({ connectionLimit: 2 })
    const inUse = await connectionOf(pool)
    const { username } = pool.lease.status()
    const rights = `select, insert, update, delete on app.*`
    await asSuperuser(`revoke ${rights} from '${username}'@'%'`)
    expect(await failureOf(ask(pool, 'select 1'))).toMatchObject({ errno: 1044 })
    await asSuperuser(`grant ${rights} to '${username}'@'%'`)
    await isWell(pool, 1)
    inUse.release()
  })

  it('whose database is down at the start says so, leaves no user, and works once it is up', async () => {
    const pool = await servers.pool()
    await servers.database.kill()
    expect(await failureOf(ask(pool, 'select 1'))).toMatchObject({
      code: 'ERR_CREDENTIALS_UNAVAILABLE',
      retryable: true,
    })
    await servers.database.start()
    await vi.waitFor(() => pool.lease.ready(), untilReady)
    await isWell(pool, pool.lease.status().generation)
    expect(await servers.engine.users()).toHaveLength(1)
  })

  it('fails what ran when the database was restarted, a stream too, and serves the rest', async () => {
    const pool = await servers.pool()
    const rows = pool.query(`select repeat('x', 1000) from seq_1_to_1000000`).stream()[Symbol.asyncIterator]()
    await rows.next()
    const sleeping = failureOf(ask(pool, 'do sleep(60)'))
    const executing = failureOf(
      new Promise((resolve, reject) =>
        pool.execute('do sleep(61)', (error) => (error ? reject(error) : resolve(undefined))),
      ),
    )
    await vi.waitFor(async () => expect(await running(servers, 'do sleep(60)')).toBe(1), { timeout: 10_000 })
    await servers.database.restart()
    const toTheEnd = async (): Promise<void> => {
      while (!(await rows.next()).done);
    }
    for (const error of await Promise.all([failureOf(toTheEnd()), sleeping, executing]))
      expect(error).toMatchObject({
        code: expect.stringMatching(/PROTOCOL_CONNECTION_LOST|ECONNRESET|EPIPE/),
      })
    await isWell(pool, 1)
  })

  it('goes on after the database was paused during a rotation', async () => {
    const pool = await servers.pool({ connectionLimit: 2 })
    await ask(pool, 'select 1')
    servers.database.pause()
    const slow = [ask(pool, 'select 1'), ask(pool, 'select 1'), ask(pool, 'select 1'), pool.lease.rotate()]
    await sleep(700)
    servers.database.resume()
    await Promise.all(slow)
    await isWell(pool, 2)
  })

  it('survives a server that is killed during a rotation', async () => {
    const pool = await servers.pool({ connectionLimit: 2 })
    await Promise.all([ask(pool, 'select 1'), ask(pool, 'select 1')])
    const rotation = failureOf(pool.lease.rotate())
    await servers.database.kill()
    await failureOf(ask(pool, 'select 1'))
    await servers.database.start()
    await rotation
    await vi.waitFor(() => ask(pool, 'select 1'), untilReady)
  })

  it('closes in time although the database answers no more', async () => {
    const pool = await servers.pool({ connectionLimit: 2, rotation: { drainTimeoutMs: 200 } })
    const held = await connectionOf(pool)
    const heard = new Promise((resolve) => held.on('error', resolve))
    const failed = failureOf(ask(held, 'do sleep(30)'))
    const retired = once(pool.lease, 'retired')
    await pool.lease.rotate()
    servers.database.pause()
    const [{ forced }] = await retired
    servers.database.resume()
    expect(forced).toBe(1)
    for (const error of [await heard, await failed])
      expect(error).toMatchObject({ code: 'ERR_CONNECTION_RETIRED' })
    held.release()
    await isWell(pool, 2)
  }, 10_000)

  it('whose first user is locked says so, and gives it back', async () => {
    const role = 'locked'
    await servers.engine.role(role, { ttl: '60s', maxTtl: '10m', creationStatements: locked })
    const pool = await servers.pool({ role })
    expect(await failureOf(ask(pool, 'select 1'))).toMatchObject({
      code: 'ERR_CREDENTIALS_UNAVAILABLE',
      cause: { code: 'ERR_CREDENTIAL_NOT_PROVEN', cause: { message: expect.stringContaining('locked') } },
    })
    await pool.end()
    expect(await servers.engine.users()).toEqual([])
  })

  it('whose new user is locked keeps the old one, and gives the new one back', async () => {
    const role = 'locked-later'
    await servers.engine.role(role, { ttl: '60s', maxTtl: '10m' })
    const pool = await servers.pool({ role })
    await ask(pool, 'select 1')
    const { username } = pool.lease.status()
    await servers.engine.role(role, { ttl: '60s', maxTtl: '10m', creationStatements: locked })
    expect(await failureOf(pool.lease.rotate())).toMatchObject({
      code: 'ERR_CREDENTIAL_NOT_PROVEN',
      refused: true,
    })
    expect(await servers.engine.users()).toEqual([username])
    await ask(pool, 'select 1')
    await servers.engine.role(role, { ttl: '60s', maxTtl: '10m' })
    await pool.lease.rotate()
    await isWell(pool, 2)
  })

  it('answers thousands who wait, when the first credential comes and when none does', async () => {
    const pool = await servers.pool()
    servers.vault.pause()
    const waiting = Array.from({ length: 3_000 }, () => ask(pool, 'select 1'))
    await sleep(200)
    servers.vault.resume()
    expect(await Promise.all(waiting)).toHaveLength(3_000)
    const impatient = await servers.pool({ connectTimeout: 300 })
    servers.vault.pause()
    const unserved = await Promise.all(
      Array.from({ length: 1_000 }, () => failureOf(ask(impatient, 'select 1'))),
    )
    servers.vault.resume()
    for (const error of unserved) expect(error).toMatchObject({ code: 'ERR_CREDENTIALS_UNAVAILABLE' })
    await vi.waitFor(() => isWell(impatient, 1), untilReady)
  })
})

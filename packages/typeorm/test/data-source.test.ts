import { setTimeout as sleep } from 'node:timers/promises'
import { appRole } from '@vault-lease/core'
import pg from 'pg'
import { DataSource, type QueryRunner } from 'typeorm'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { vaultDataSource } from '../src/vault-data-source.ts'
import { Items, type Options, type Servers, startServers, userOf } from './servers.ts'

describe('a DataSource of vaultDataSource()', () => {
  let servers: Servers
  beforeAll(async () => {
    servers = await startServers()
  })
  afterEach(() => servers.endAll())
  afterAll(() => servers?.[Symbol.asyncDispose]())

  const sessions = (): Promise<unknown[]> =>
    servers.database.query(`select 1 from pg_stat_activity where usename like 'v-%'`)

  const tokens = async (): Promise<number> => {
    const { body } = await servers.vault.must('LIST', 'auth/token/accessors')
    return body.data.keys.length
  }

  it('works by its one line, and destroy() leaves nothing', async () => {
    const dataSource = await servers.dataSource()
    expect(await userOf(dataSource)).toMatch(/^v-token-app-/)
    await Promise.all([dataSource.destroy(), dataSource.destroy()])
    expect(await servers.engine.users()).toEqual([])
    expect(await servers.engine.leases('app')).toEqual([])
    await expect(dataSource.destroy()).rejects.toThrow('not yet established')
  })

  it('can be initialised again after it was destroyed', async () => {
    const dataSource = await servers.dataSource()
    const before = await userOf(dataSource)
    await dataSource.destroy()
    await dataSource.initialize()
    expect(await userOf(dataSource)).not.toBe(before)
    await expect(dataSource.initialize()).rejects.toThrow('already')
  })

  it('is initialised once by two who ask at the same time', async () => {
    const dataSource = await servers.dataSource()
    await dataSource.destroy()
    expect(await Promise.all([dataSource.initialize(), dataSource.initialize()])).toEqual([
      dataSource,
      dataSource,
    ])
    expect(await servers.engine.users()).toHaveLength(1)
  })

  it('may be one of two on the same options', async () => {
    const options = vaultDataSource({
      type: 'postgres',
      vault: await servers.vaultOptions(),
      role: 'app',
      ...servers.place,
    })
    const both = [new DataSource(options), new DataSource(options)]
    for (const each of both) await each.initialize()
    expect(new Set(await Promise.all(both.map(userOf))).size).toBe(2)
    for (const each of both) await each.destroy()
  })

  it('leaves a lease to the caller who made it', async () => {
    const lease = await servers.lease()
    const dataSource = await servers.dataSource({ lease })
    await dataSource.destroy()
    expect(lease.status().state).toBe('ready')
    expect(await sessions()).toEqual([])
  })

  it('lets running work finish when it is destroyed, and refuses what comes later', async () => {
    const dataSource = await servers.dataSource()
    const transaction = dataSource.transaction(async (manager) => {
      await sleep(100)
      await manager.getRepository(Items).insert({ name: 'last' })
    })
    const destroyed = dataSource.destroy()
    await sleep(50)
    await expect(dataSource.query('select 1')).rejects.toThrow('after calling end')
    await Promise.all([transaction, destroyed])
    expect(await servers.database.query(`select 1 from items where name = 'last'`)).toHaveLength(1)
  })

  it.each<[string, number, (runner: QueryRunner) => Promise<unknown>]>([
    ['a transaction is never ended', 12_000, (runner) => runner.startTransaction()],
    ['a query runner is never released', 1_000, (runner) => runner.query('select 1')],
  ])('is destroyed in bounded time when %s', async (_why, atMostMs, forget) => {
    const dataSource = await servers.dataSource()
    await forget(dataSource.createQueryRunner())
    const began = performance.now()
    await dataSource.destroy()
    expect(performance.now() - began).toBeLessThan(atMostMs)
  })

  it.each<[string, RegExp, (place: Servers['place']) => Options]>([
    ['the database does not exist', /"nowhere" does not exist/, () => ({ database: 'nowhere' })],
    ['it may not migrate', /permission denied for schema public/, () => ({ migrationsRun: true })],
    [
      'a replica cannot be reached',
      /ECONNREFUSED/,
      (place) => ({ replication: { master: place, slaves: [place, { ...place, port: 1 }] } }),
    ],
    ['the cache cannot be reached', /no cache/, () => ({ cache: { provider: () => unreachableCache } })],
  ])('leaves nothing when it cannot be initialised because %s', async (_why, message, options) => {
    const auth = appRole(await servers.engine.createAppRole())
    const vault = { address: servers.vault.address, auth }
    const before = await tokens()
    await expect(servers.dataSource({ vault, ...options(servers.place) })).rejects.toThrow(message)
    expect(await tokens()).toBe(before)
    expect(await servers.engine.users()).toEqual([])
    expect(await sessions()).toEqual([])
  })

  it('takes its place from a url, and options of the driver from "extra"', async () => {
    const { host, port, database } = servers.place
    const dataSource = await servers.dataSource({
      url: `postgresql://${host}:${port}/${database}`,
      extra: { options: '-c search_path=private' },
    })
    expect(await dataSource.query('show search_path')).toEqual([{ search_path: 'private' }])
    await expect(servers.dataSource({ extra: { user: 'me' } })).rejects.toThrow('Leave out "user"')
  })

  it('keeps the limits of the pool across a rotation', async () => {
    const lease = await servers.lease()
    const dataSource = await servers.dataSource({ lease, poolSize: 2 })
    const slowly = Array.from({ length: 6 }, () => dataSource.query('select pg_sleep(0.05)'))
    await sleep(20)
    expect(await sessions()).toHaveLength(2)
    await lease.rotate()
    await Promise.all(slowly)
    expect(await userOf(dataSource)).toBe(lease.current?.username)
  })

  it('makes its pools of the driver that it is given', async () => {
    const clients: pg.Client[] = []
    class Client extends pg.Client {
      constructor(config?: string | pg.ClientConfig) {
        super(config)
        clients.push(this)
      }
    }
    const dataSource = await servers.dataSource({ driver: { ...pg, Client } })
    expect(await userOf(dataSource)).toMatch(/^v-/)
    expect(clients.length).toBeGreaterThan(0)
    await expect(servers.dataSource({ driver: {} })).rejects.toMatchObject({ code: 'ERR_INVALID_OPTION' })
  })

  it.each<[string, Pick<Options, 'cache'>]>([
    ['true', { cache: true }],
    ['options', { cache: { type: 'database', tableName: 'query-result-cache' } }],
  ])('keeps results in the cache of TypeORM that is asked for by %s', async (_how, options) => {
    await servers.database.query('grant create on schema public to public')
    const dataSource = await servers.dataSource(options)
    await dataSource.queryResultCache?.synchronize()
    const count = () =>
      dataSource.getRepository(Items).createQueryBuilder('item').cache('all', 60_000).getCount()
    const before = await count()
    await servers.database.query(`insert into items (name) values ('unseen')`)
    expect(await count()).toBe(before)
    await dataSource.queryResultCache?.clear()
    expect(await count()).toBe(before + 1)
    await dataSource.query('drop table "query-result-cache"')
  })

  it('rotates once and connects again when the database refuses the user, and runs no query twice', async () => {
    const lease = await servers.lease()
    const dataSource = await servers.dataSource({ lease, extra: { idleTimeoutMillis: 1 } })
    while ((await sessions()).length > 0) await sleep(10)
    await servers.database.query(`alter role "${lease.status().username}" password 'changed behind the back'`)
    const items = dataSource.getRepository(Items)
    await Promise.all(Array.from({ length: 10 }, () => items.insert({ name: 'once' })))
    expect(lease.status().generation).toBe(2)
    expect(await items.countBy({ name: 'once' })).toBe(10)
  })
})

const unreachableCache: NonNullable<DataSource['queryResultCache']> = {
  async connect() {
    throw new Error('no cache')
  },
  async disconnect() {},
  async synchronize() {},
  async getFromCache() {
    return undefined
  },
  async storeInCache() {},
  isExpired: () => true,
  async clear() {},
  async remove() {},
}

import { setTimeout as sleep } from 'node:timers/promises'
import { appRole } from '@vault-lease/core'
import { DataSource, type QueryRunner } from 'typeorm'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import type { VaultDataSourceOptions } from '../src/index.ts'
import { vaultDataSource } from '../src/vault-data-source.ts'
import { startDetour } from './detour.ts'
import { Items, type Options, ownerRole, type Servers, startServers } from './servers.ts'

describe.each(['postgres', 'mysql'] as const)('a DataSource of vaultDataSource() for %s', (type) => {
  let servers: Servers
  beforeAll(async () => {
    servers = await startServers(type)
  })
  afterEach(() => servers.endAll())
  afterAll(() => servers?.[Symbol.asyncDispose]())

  const tokens = async (): Promise<number> => {
    const { body } = await servers.vault.must('LIST', 'auth/token/accessors')
    return body.data.keys.length
  }

  it('works by its one line, and destroy() leaves nothing', async () => {
    const dataSource = await servers.dataSource()
    expect(await servers.userOf(dataSource)).toMatch(/^v-token-app-/)
    await Promise.all([dataSource.destroy(), dataSource.destroy()])
    expect(await servers.engine.users()).toEqual([])
    expect(await servers.engine.leases('app')).toEqual([])
    await expect(dataSource.destroy()).rejects.toThrow('not yet established')
  })

  it('can be initialised again after it was destroyed', async () => {
    const dataSource = await servers.dataSource()
    const before = await servers.userOf(dataSource)
    await dataSource.destroy()
    await dataSource.initialize()
    expect(await servers.userOf(dataSource)).not.toBe(before)
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
      type,
      vault: await servers.vaultOptions(),
      role: 'app',
      ...servers.place,
    })
    const both = [new DataSource(options), new DataSource(options)]
    for (const each of both) await each.initialize()
    const [one, other] = await Promise.all(both.map(servers.userOf))
    expect(one).toBe(other)
    for (const each of both) await each.destroy()
  })

  it('leaves a lease to the caller who made it', async () => {
    const lease = await servers.lease()
    const dataSource = await servers.dataSource({ lease })
    await dataSource.destroy()
    expect(lease.status().state).toBe('ready')
    expect(await servers.sessions()).toEqual([])
  })

  it('lets running work finish when it is destroyed, and refuses what comes later', async () => {
    const dataSource = await servers.dataSource()
    const transaction = dataSource.transaction(async (manager) => {
      await sleep(100)
      await manager.getRepository(Items).insert({ name: 'last' })
    })
    const destroyed = dataSource.destroy()
    await sleep(50)
    await expect(dataSource.query('select 1')).rejects.toThrow(/after calling end|Pool is closed/)
    await Promise.all([transaction, destroyed])
    expect(await servers.database.query(`select 1 from items where name = 'last'`)).toHaveLength(1)
  })

  it('lets a query runner finish one long statement after another when it is destroyed', async () => {
    const dataSource = await servers.dataSource()
    const runner = dataSource.createQueryRunner()
    await runner.connect()
    const statements = async (): Promise<void> => {
      for (let count = 0; count < 3; count++) await runner.query(servers.dialect.sleep(0.3))
    }
    await Promise.all([statements(), dataSource.destroy()])
  })

  it.each<[string, number, (runner: QueryRunner) => Promise<unknown>]>([
    ['a transaction is never ended', 12_000, (runner) => runner.startTransaction()],
    ['a query runner is never released', 1_000, (runner) => runner.query('select 1')],
  ])('is destroyed in bounded time when %s', async (_why, atMostMs, forget) => {
    for (const options of [{}, { lease: await servers.lease() }]) {
      const dataSource = await servers.dataSource(options)
      await forget(dataSource.createQueryRunner())
      const began = performance.now()
      await dataSource.destroy()
      expect(performance.now() - began).toBeLessThan(atMostMs)
    }
  })

  it.each<[string, RegExp, (place: Servers['place']) => Options]>([
    ['the database does not exist', /nowhere/, () => ({ database: 'nowhere' })],
    ['it may not migrate', /denied/, () => ({ migrationsRun: true })],
    [
      'the writer cannot be reached',
      /ECONNREFUSED/,
      (place) => ({ replication: { master: { ...place, port: 1 }, slaves: [place] } }),
    ],
    ['the cache cannot be reached', /no cache/, () => ({ cache: { provider: () => unreachableCache } })],
  ])('leaves nothing when it cannot be initialised because %s', async (_why, message, options) => {
    const auth = appRole(await servers.engine.createAppRole())
    const vault = { address: servers.vault.address, auth }
    const before = await tokens()
    await expect(servers.dataSource({ vault, ...options(servers.place) })).rejects.toThrow(message)
    expect(await tokens()).toBe(before)
    expect(await servers.engine.users()).toEqual([])
    expect(await servers.sessions()).toEqual([])
  })

  it.each<[string, (place: Servers['place']) => Options]>([
    ['the database', (place) => place],
    ['a replica', (place) => ({ replication: { master: place, slaves: [place] } })],
  ])('can be initialised after it failed because %s could not be reached', async (_what, options) => {
    using detour = await startDetour(servers.place)
    const { host, port } = detour
    const vault = await servers.vaultOptions()
    const place = { ...servers.place, host, port }
    const dataSource = new DataSource(
      vaultDataSource({ type, vault, role: 'app', ...options(place) } as VaultDataSourceOptions),
    )
    detour.reachable = false
    await expect(dataSource.initialize()).rejects.toThrow()
    expect(await servers.engine.users()).toEqual([])
    detour.reachable = true
    await dataSource.initialize()
    expect(await servers.userOf(dataSource)).toMatch(/^v-/)
    await dataSource.destroy()
    expect(await servers.engine.users()).toEqual([])
  })

  it('keeps the limits of the pool across a rotation', async () => {
    const lease = await servers.lease()
    const dataSource = await servers.dataSource({ lease, poolSize: 2 })
    const slowly = Array.from({ length: 6 }, () => dataSource.query(servers.dialect.sleep(0.2)))
    await vi.waitUntil(async () => (await servers.sessions()).length >= 2)
    await sleep(20)
    expect(await servers.sessions()).toHaveLength(2)
    await lease.rotate()
    await Promise.all(slowly)
    expect(await servers.userOf(dataSource)).toBe(lease.current?.username)
  })

  it.each<[string, Pick<Options, 'cache'>]>([
    ['true', { cache: true }],
    ['options', { cache: { type: 'database', tableName: 'query-result-cache' } }],
  ])('keeps results in the cache of TypeORM that is asked for by %s', async (_how, options) => {
    const dataSource = await servers.dataSource({ role: ownerRole, ...options })
    await dataSource.queryResultCache?.synchronize()
    const count = () =>
      dataSource.getRepository(Items).createQueryBuilder('item').cache('all', 60_000).getCount()
    const before = await count()
    await servers.database.query(`insert into items (name) values ('unseen')`)
    expect(await count()).toBe(before)
    await dataSource.queryResultCache?.clear()
    expect(await count()).toBe(before + 1)
    await dataSource.query(`drop table ${dataSource.driver.escape('query-result-cache')}`)
  })

  it('rotates once and connects again when the database refuses the user, and runs no query twice', async () => {
    const lease = await servers.lease()
    const dataSource = await servers.dataSource({ lease, extra: servers.dialect.closeIdle })
    const user = await servers.userOf(dataSource)
    while ((await servers.sessions()).length > 0) await sleep(10)
    await servers.database.query(servers.dialect.changePassword(user))
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

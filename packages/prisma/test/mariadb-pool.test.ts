import { setTimeout as sleep } from 'node:timers/promises'
import { PrismaMariaDb } from '@prisma/adapter-mariadb'
import type { LeaseManager } from '@vault-lease/core'
import { type FaultProxy, openFaultProxy } from '@vault-lease/testing'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type MySqlAdapterOptions, vaultAdapter } from '../src/index.ts'
import type { poolOptionNames } from '../src/mariadb/pool-options.ts'
import { type Servers, startServers } from './servers.ts'

type Adapter = Awaited<ReturnType<PrismaMariaDb['connect']>>
type Options = Pick<MySqlAdapterOptions, (typeof poolOptionNames)[number] | 'connectTimeout'>

const select = (sql: string) => ({ sql, args: [], argTypes: [] })
const one = select('select 1 as one')

// What mariadb 3.4 leaves unhandled is mended by ours, which comes first.
describe.each(['vaultAdapter()', 'PrismaMariaDb'] as const)('the pool of %s', (which) => {
  let servers: Servers
  let lease: LeaseManager
  let way: FaultProxy
  const adapters: Adapter[] = []
  beforeAll(async () => {
    servers = await startServers('mysql')
  })
  beforeEach(async () => {
    way = await openFaultProxy(servers.place)
    lease = await servers.lease()
    await lease.ready()
  })
  afterEach(async () => {
    for (const adapter of adapters.splice(0)) await adapter.dispose()
    await way[Symbol.asyncDispose]()
    await servers.endAll()
  })
  afterAll(() => servers?.stop())

  /** Both with the same options, on the way that can fail. The driver's pool would fill itself. */
  async function adapterWith(options: Options = {}, ofOurs = lease): Promise<Adapter> {
    const place = { ...servers.place, host: way.host, port: way.port, connectionLimit: 2, ...options }
    const { username: user, password } = await lease.credential()
    const factory =
      which === 'PrismaMariaDb'
        ? new PrismaMariaDb({ ...place, user, password, minimumIdle: 1 })
        : vaultAdapter({ provider: 'mysql', lease: ofOurs, ...place })
    const adapter = (await factory.connect()) as Adapter
    adapters.push(adapter)
    return adapter
  }

  it('asks an idle connection whether it lives, and answers on another one when it does not', async () => {
    const adapter = await adapterWith()
    await adapter.queryRaw(one)
    await sleep(600)
    way.set({ kind: 'freeze' })
    const began = performance.now()
    expect((await adapter.queryRaw(one)).rows).toHaveLength(1)
    expect(performance.now() - began).toBeLessThan(3_000)
  })

  it('asks also what was used just now, with a "minDelayValidation" of 0', async () => {
    const adapter = await adapterWith({ minDelayValidation: 0 })
    await adapter.queryRaw(one)
    way.set({ kind: 'freeze' })
    const began = performance.now()
    expect((await adapter.queryRaw(one)).rows).toHaveLength(1)
    expect(performance.now() - began).toBeLessThan(3_000)
  })

  it('connects again while "initializationTimeout" lasts: the server was away', async () => {
    const adapter = await adapterWith()
    await adapter.queryRaw(one)
    way.set({ kind: 'cut' })
    await sleep(50)
    const asked = adapter.queryRaw(one)
    await sleep(300)
    way.set({ kind: 'none' })
    expect((await asked).rows).toHaveLength(1)
  })

  it('connects again when its process was held up for longer than "connectTimeout"', async () => {
    const adapter = await adapterWith({ connectTimeout: 500 })
    await adapter.queryRaw(one)
    way.set({ kind: 'cut' })
    await sleep(50)
    way.set({ kind: 'none' })
    const asked = adapter.queryRaw(one)
    setImmediate(() => holdUp(700))
    expect((await asked).rows).toHaveLength(1)
  })

  it.each(['cut', 'hang'] as const)(
    'connects again for its first connection, too, on a way that begins with a %s',
    async (kind) => {
      way.set({ kind })
      const asked = adapterWith({ connectTimeout: 500 }, await servers.lease()).then((adapter) =>
        adapter.queryRaw(one),
      )
      await sleep(800)
      way.set({ kind: 'none' })
      expect((await asked).rows).toHaveLength(1)
    },
  )

  it('tells why there is no connection within "acquireTimeout", whatever is waited for', async () => {
    const adapter = await adapterWith({ acquireTimeout: 2_000, connectTimeout: 1_000 })
    await adapter.queryRaw(one)
    way.set({ kind: 'hang' })
    await sleep(50)
    const began = performance.now()
    await expect(adapter.queryRaw(one)).rejects.toThrow()
    expect(performance.now() - began).toBeLessThan(5_000)
    way.set({ kind: 'none' })
    expect((await adapter.queryRaw(one)).rows).toHaveLength(1)
  })

  it.each([
    [{}, 'all'],
    [{ resetAfterUse: true }, 'nothing'],
    [{ noControlAfterUse: true }, 'all'],
  ])('with %j leaves %s of what a session has set to the next holder', async (options, left) => {
    const adapter = await adapterWith({ connectionLimit: 1, ...options })
    const transaction = await adapter.startTransaction()
    await transaction.executeRaw(select('set @left = 1'))
    await transaction.commit()
    const { rows } = await adapter.queryRaw(select('select @left is not null as found'))
    expect(String(rows[0]?.[0])).toBe(left === 'nothing' ? '0' : '1')
  })
})

function holdUp(ms: number): void {
  const until = performance.now() + ms
  while (performance.now() < until);
}

import { setTimeout as sleep } from 'node:timers/promises'
import { PrismaPg } from '@prisma/adapter-pg'
import type { SqlDriverAdapter } from '@prisma/driver-adapter-utils'
import type { LeaseManager } from '@vault-lease/core'
import type { PoolConfig } from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { vaultAdapter } from '../src/index.ts'
import { type Servers, startServers } from './servers.ts'

const select = (sql: string) => ({ sql, args: [], argTypes: [] })

describe.each(['vaultAdapter()', 'PrismaPg'] as const)('the pool of %s', (which) => {
  let servers: Servers
  let lease: LeaseManager
  const adapters: SqlDriverAdapter[] = []
  beforeAll(async () => {
    servers = await startServers('postgresql')
  })
  beforeEach(async () => {
    lease = await servers.lease()
    await lease.ready()
  })
  afterEach(async () => {
    for (const adapter of adapters.splice(0)) await adapter.dispose()
    await servers.endAll()
  })
  afterAll(() => servers?.stop())

  async function adapterWith(options: PoolConfig): Promise<SqlDriverAdapter> {
    const { user: _, password: __, ...pool }: PoolConfig = { ...servers.place, max: 1, ...options }
    const { username: user, password } = await lease.credential()
    const adapter = await (which === 'PrismaPg'
      ? new PrismaPg({ ...pool, user, password })
      : vaultAdapter({ provider: 'postgresql', lease, ...pool })
    ).connect()
    adapters.push(adapter)
    return adapter
  }

  const processOf = async (adapter: SqlDriverAdapter): Promise<unknown> =>
    (await adapter.queryRaw(select('select pg_backend_pid()'))).rows[0]?.[0]

  it.each([
    [{}, 1],
    [{ maxUses: 1 }, 3],
    [{ idleTimeoutMillis: 20 }, 3],
    [{ maxLifetimeSeconds: 0.05 }, 3],
  ])('with %j opens %d connections for three queries that come one after another', async (options, count) => {
    const adapter = await adapterWith(options)
    const processes = new Set<unknown>()
    for (let query = 0; query < 3; query++) {
      processes.add(await processOf(adapter))
      await sleep(150)
    }
    expect(processes.size).toBe(count)
  })

  it('gives up a connection whose query took longer than "query_timeout"', async () => {
    const adapter = await adapterWith({ query_timeout: 1_000 })
    await expect(adapter.queryRaw(select('select 1 from pg_sleep(2)'))).rejects.toThrow()
    expect((await adapter.queryRaw(select('select 1'))).rows).toHaveLength(1)
  })

  it('ends an acquire after "connectionTimeoutMillis"', async () => {
    const adapter = await adapterWith({ connectionTimeoutMillis: 1_500 })
    const transaction = await adapter.startTransaction()
    await expect(adapter.queryRaw(select('select 1'))).rejects.toThrow('timeout')
    await transaction.rollback()
    expect((await adapter.queryRaw(select('select 1'))).rows).toHaveLength(1)
  })
})

import type { ReplicationMode } from 'typeorm'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { type Detour, startDetour } from './detour.ts'
import { type Servers, startServers } from './servers.ts'

const patience = { timeout: 15_000, interval: 50 }

describe.each(['postgres', 'mysql'] as const)('a replicated DataSource for %s', (type) => {
  let servers: Servers
  let replicas: [Detour, Detour]
  beforeAll(async () => {
    servers = await startServers(type)
  })
  beforeEach(async () => {
    replicas = [await startDetour(servers.place), await startDetour(servers.place)]
  })
  afterEach(async () => {
    await servers.endAll()
    for (const each of replicas) each[Symbol.dispose]()
  })
  afterAll(() => servers?.[Symbol.asyncDispose]())

  const replication = () => {
    const { place } = servers
    return { master: place, slaves: replicas.map(({ host, port }) => ({ ...place, host, port })) }
  }

  it('has one user on all servers, and destroy() leaves nothing', async () => {
    const dataSource = await servers.dataSource({ replication: replication() })
    const modes: readonly ReplicationMode[] = ['master', 'slave', 'slave']
    const users = await Promise.all(
      modes.map(async (mode) => {
        const runner = dataSource.createQueryRunner(mode)
        const user = await servers.userOf(runner)
        await runner.release()
        return user
      }),
    )
    expect(users[0]).toMatch(/^v-/)
    expect(new Set(users).size).toBe(1)
    await dataSource.destroy()
    expect(await servers.engine.users()).toEqual([])
  })

  // TypeORM itself chooses among those of PostgreSQL, at random.
  if (type === 'mysql')
    it('asks the replicas in turn', async () => {
      const dataSource = await servers.dataSource({ replication: replication() })
      await servers.userOf(dataSource)
      const before = replicas.map(({ connections }) => connections)
      // More than the one connection that has proven the user at each of them.
      const runners = [...replicas, ...replicas].map(() => dataSource.createQueryRunner('slave'))
      for (const runner of runners) await servers.userOf(runner)
      replicas.forEach(({ connections }, index) => {
        expect(connections).toBeGreaterThan(before[index] ?? Number.POSITIVE_INFINITY)
      })
      for (const runner of runners) await runner.release()
      await dataSource.destroy()
    })

  it('goes over to a new user on each server that accepts it, whatever the others do', async () => {
    const lease = await servers.lease()
    const dataSource = await servers.dataSource({ lease, replication: replication() })
    const userOn = async (mode: ReplicationMode): Promise<unknown> => {
      const runner = dataSource.createQueryRunner(mode)
      return await servers.userOf(runner).finally(() => runner.release())
    }
    await Promise.all(Array.from({ length: 4 }, () => userOn('slave')))
    const [replica, other] = replicas
    replica.reachable = false
    other.reachable = false
    await lease.rotate()
    const user = lease.current?.username
    expect(lease.status()).toMatchObject({ state: 'ready', generation: 2 })
    // Until its turn, a connection of the user before still serves.
    await vi.waitFor(async () => expect(await userOn('master')).toBe(user), patience)
    expect(lease.status().places.filter(({ state }) => state === 'proven').length).toBeLessThanOrEqual(1)
    replica.reachable = true
    other.reachable = true
    await vi.waitFor(async () => expect(await userOn('slave')).toBe(user), patience)
    await dataSource.destroy()
  })
})

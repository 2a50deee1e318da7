import type { ReplicationMode } from 'typeorm'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Detour, startDetour } from './detour.ts'
import { type Servers, startServers } from './servers.ts'

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
      for (const _replica of replicas) {
        const runner = dataSource.createQueryRunner('slave')
        await servers.userOf(runner)
        await runner.release()
      }
      replicas.forEach(({ connections }, index) => {
        expect(connections).toBeGreaterThan(before[index] ?? Number.POSITIVE_INFINITY)
      })
      await dataSource.destroy()
    })

  it('goes over to a new user when every server has accepted it, and not before', async () => {
    const lease = await servers.lease()
    const dataSource = await servers.dataSource({ lease, replication: replication() })
    const [replica] = replicas
    replica.reachable = false
    await expect(lease.rotate()).rejects.toMatchObject({ code: 'ERR_CREDENTIAL_NOT_PROVEN' })
    expect(lease.status().generation).toBe(1)
    replica.reachable = true
    const before = replica.connections
    await lease.rotate()
    expect(lease.status().generation).toBe(2)
    expect(replica.connections).toBeGreaterThan(before)
    await dataSource.destroy()
  })
})

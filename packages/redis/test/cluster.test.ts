import { createLease, type LeaseManager } from '@vault-lease/core'
import { Cluster } from 'ioredis'
import { createCluster } from 'redis'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { type OnLease, vaultRedis } from '../src/index.ts'
import { type RedisCluster, startRedisCluster } from './redis-cluster.ts'
import { rotate, rotating, untilRetired } from './servers.ts'

const hourMs = 3_600_000

describe('vaultRedis() on a client of a cluster', () => {
  let servers: RedisCluster
  const open: AsyncDisposable[] = []
  /** Of each user that was left: on how many connections of each node it still was. */
  const left: Promise<number[]>[] = []
  beforeAll(async () => {
    servers = await startRedisCluster()
  })
  afterEach(async () => {
    for (const each of open.splice(0).reverse()) await each[Symbol.asyncDispose]()
    await Promise.all(left.splice(0))
  })
  afterAll(() => servers?.stop())

  /** Each user is dropped when it has been left. */
  function leaseOn(createUser = servers.createUser, drainTimeoutMs = hourMs): LeaseManager {
    const lease = createLease({
      credential: async () => ({ ...(await createUser()), expiresAt: new Date(Date.now() + hourMs) }),
      rotation: { drainTimeoutMs },
    })
    open.push(lease)
    const users = new Map<number, string>()
    lease.on('rotated', ({ generation }) => void users.set(generation, lease.current?.username ?? ''))
    lease.on('retired', ({ generation }) => {
      const user = users.get(generation) ?? ''
      left.push(servers.sessionsOf(user).finally(() => servers.dropUser(user)))
    })
    return lease
  }

  function clusterOn(lease: LeaseManager, options = {}): Cluster & OnLease {
    const cluster = vaultRedis(new Cluster([...servers.nodes], options), { lease })
    cluster.on('error', () => {})
    open.push(cluster)
    return cluster
  }

  const keys = Array.from({ length: 60 }, (_, n) => `key:${n}`)

  it('changes the users of the connections to all nodes, which stay open', async () => {
    const lease = leaseOn()
    const cluster = clusterOn(lease)
    await Promise.all(keys.map((key) => cluster.set(key, key)))
    const ids = () => Promise.all(cluster.nodes('master').map((node) => node.client('ID')))
    const before = await ids()
    const stop = rotating(lease)
    for (let round = 0; round < 50; round++)
      expect(await Promise.all(keys.map((key) => cluster.get(key)))).toEqual(keys)
    expect(await stop()).toBeGreaterThanOrEqual(5)
    expect(await ids()).toEqual(before)
    const users = await Promise.all(cluster.nodes('master').map((node) => node.acl('WHOAMI')))
    expect(users).toEqual(Array(3).fill(lease.current?.username))
    const counts = await Promise.all(left)
    expect(counts.length).toBeGreaterThanOrEqual(5)
    expect(new Set(counts.flat())).toEqual(new Set([0]))
  })

  it('keeps its subscriber, which is told every message once', async () => {
    const lease = leaseOn()
    const cluster = clusterOn(lease)
    const told: number[] = []
    cluster.on('message', (_channel, n) => told.push(Number(n)))
    await cluster.subscribe('events')
    const publisher = cluster.duplicate()
    publisher.on('error', () => {})
    const stop = rotating(lease)
    const published = 1_000
    for (let n = 0; n < published; n++) await publisher.publish('events', String(n))
    await stop()
    await vi.waitUntil(() => told.length >= published)
    // Those of different nodes overtake each other.
    expect(told.sort((a, b) => a - b)).toEqual(Array.from({ length: published }, (_, n) => n))
    await publisher.quit()
  })

  it('replaces the connection of a command that blocks, which goes on', async () => {
    const lease = leaseOn(servers.createUser, 200)
    const cluster = clusterOn(lease)
    const popped = cluster.blpop('queue', 0)
    await vi.waitUntil(async () =>
      (await servers.sessionsOf(lease.current?.username ?? '')).some((sessions) => sessions > 0),
    )
    await rotate(lease, 2)
    const pusher = clusterOn(lease)
    await pusher.rpush('queue', 'one')
    expect(await popped).toEqual(['queue', 'one'])
  })

  it('does not go over to a user whom one node does not know', async () => {
    let on = 3
    const lease = leaseOn(() => servers.createUser({ on }))
    const cluster = clusterOn(lease)
    await cluster.set('key', 1)
    const user = lease.current?.username
    on = 2
    await expect(lease.rotate()).rejects.toThrow()
    expect(lease.current?.username).toBe(user)
    expect(await cluster.get('key')).toBe('1')
    on = 3
    await lease.rotate()
    await untilRetired(lease)
    expect(await cluster.get('key')).toBe('1')
  })

  describe('of node-redis', () => {
    function nodeRedisOn(lease: LeaseManager) {
      const rootNodes = servers.nodes.map((socket) => ({ socket }))
      const cluster = vaultRedis(createCluster({ rootNodes }), { lease })
      open.push(cluster)
      return cluster
    }

    it('changes the users of the connections to all nodes, which stay open', async () => {
      const lease = leaseOn()
      const cluster = nodeRedisOn(lease)
      await cluster.connect()
      await Promise.all(keys.map((key) => cluster.set(key, key)))
      const clients = await Promise.all(cluster.masters.map((node) => cluster.nodeClient(node)))
      expect(clients).toHaveLength(3)
      const ids = () => Promise.all(clients.map((node) => node.sendCommand(['CLIENT', 'ID'])))
      const before = await ids()
      const stop = rotating(lease)
      for (let round = 0; round < 50; round++)
        expect(await Promise.all(keys.map((key) => cluster.get(key)))).toEqual(keys)
      expect(await stop()).toBeGreaterThanOrEqual(5)
      expect(await ids()).toEqual(before)
      const users = await Promise.all(clients.map((node) => node.aclWhoAmI()))
      expect(users).toEqual(Array(3).fill(lease.current?.username))
      expect(new Set((await Promise.all(left)).flat())).toEqual(new Set([0]))
    })

    it('keeps its subscriber, which is told every message once', async () => {
      const lease = leaseOn()
      const cluster = nodeRedisOn(lease)
      await cluster.connect()
      const told: number[] = []
      await cluster.subscribe('events', (n) => void told.push(Number(n)))
      const publisher = cluster.duplicate()
      await publisher.connect()
      const stop = rotating(lease)
      const published = 1_000
      for (let n = 0; n < published; n++) await publisher.publish('events', String(n))
      await stop()
      await vi.waitUntil(() => told.length >= published)
      expect(told.sort((a, b) => a - b)).toEqual(Array.from({ length: published }, (_, n) => n))
      await publisher.close()
    })

    it('does not go over to a user whom one node does not know', async () => {
      let on = 3
      const lease = leaseOn(() => servers.createUser({ on }))
      const cluster = nodeRedisOn(lease)
      await cluster.connect()
      const user = lease.current?.username
      on = 2
      await expect(lease.rotate()).rejects.toThrow()
      expect(lease.current?.username).toBe(user)
      await cluster.set('key', '1')
      expect(await cluster.get('key')).toBe('1')
    })

    it('ends its lease with the last of its duplicates', async () => {
      const { username, password } = await servers.createUser()
      const rootNodes = servers.nodes.map((socket) => ({ socket }))
      const cluster = vaultRedis(createCluster({ rootNodes }), {
        credential: async () => ({ username, password, expiresAt: new Date(Date.now() + hourMs) }),
        shared: false,
      })
      const copy = cluster.duplicate()
      await Promise.all([cluster.connect(), copy.connect()])
      await Promise.all([cluster.set('key', '1'), copy.set('key', '2')])
      await cluster.close()
      expect(cluster.lease.status().state).toBe('ready')
      await copy.close()
      expect(cluster.lease.status().state).toBe('closed')
      await vi.waitFor(async () => expect(await servers.sessionsOf(username)).toEqual([0, 0, 0]))
    })
  })

  it('is ready at once as a user who may not SELECT', async () => {
    const rules = ['~*', '&*', '+@all', '-@dangerous', '-select', '+info']
    const lease = leaseOn(() => servers.createUser({ rules }))
    const cluster = clusterOn(lease)
    const began = performance.now()
    await cluster.set('key', 1)
    expect(performance.now() - began).toBeLessThan(5_000)
  })

  it('ends its lease with the last of its duplicates', async () => {
    const { username, password } = await servers.createUser()
    const from = {
      credential: async () => ({ username, password, expiresAt: new Date(Date.now() + hourMs) }),
    }
    const cluster = vaultRedis(new Cluster([...servers.nodes]), { ...from, shared: false })
    const copy = cluster.duplicate()
    await Promise.all([cluster.set('key', 1), copy.set('key', 2)])
    await cluster.quit()
    expect(cluster.lease.status().state).toBe('ready')
    await copy.quit()
    expect(cluster.lease.status().state).toBe('closed')
    expect(await servers.sessionsOf(username)).toEqual([0, 0, 0])
  })
})

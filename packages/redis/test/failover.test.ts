import type { LeaseManager } from '@vault-lease/core'
import { Redis } from 'ioredis'
import { createSentinel } from 'redis'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { vaultRedis } from '../src/index.ts'
import { type RedisSentinel, startRedisSentinel } from './redis-sentinel.ts'
import { rotate } from './servers.ts'

const untilThere = { timeout: 30_000, interval: 20 }

describe('vaultRedis() on a client that asks a sentinel, over a failover', () => {
  let servers: RedisSentinel
  beforeEach(async () => {
    servers = await startRedisSentinel()
  }, 60_000)
  afterEach(() => servers?.stop())

  it('goes on with the new master, before and after a rotation', async () => {
    const lease = servers.lease()
    const sentinels = [servers.sentinel]
    const redis = vaultRedis(new Redis({ sentinels, name: 'cache', sentinelRetryStrategy: () => 50 }), {
      lease,
    })
    redis.on('error', () => {})
    await redis.set('counter', 0)
    await rotate(lease, 2)
    const whereBefore = redis.stream.remotePort
    expect(whereBefore).toBe(servers.master.port)
    const user = lease.current?.username
    await servers.failOver()
    await vi.waitFor(async () => {
      await redis.incr('counter')
      expect(redis.stream.remotePort).toBe(servers.replica.port)
    }, untilThere)
    expect(await redis.acl('WHOAMI')).toBe(user)
    await rotate(lease, 3)
    expect(await redis.acl('WHOAMI')).toBe(lease.current?.username)
    expect(lease.current?.username).not.toBe(user)
    expect(Number(await redis.get('counter'))).toBeGreaterThan(0)
    await redis.quit()
    await lease.close()
  })

  describe('of node-redis', () => {
    const sentinelOn = (lease: LeaseManager) => {
      const options = { name: 'cache', sentinelRootNodes: [servers.sentinel], replicaPoolSize: 1 }
      return vaultRedis(createSentinel(options), { lease })
    }

    it('goes on with the new master, before and after a rotation, on every connection', async () => {
      const lease = servers.lease()
      const redis = sentinelOn(lease)
      await redis.connect()
      const told: string[] = []
      await redis.subscribe('events', (message) => void told.push(message))
      await redis.set('counter', 0)
      const whoAmI = () => redis.sendCommand<string>(false, ['ACL', 'WHOAMI'])
      const id = () => redis.sendCommand<number>(false, ['CLIENT', 'ID'])
      const idBefore = await id()
      await rotate(lease, 2)
      expect(await id()).toBe(idBefore)
      const user = String(lease.current?.username)
      expect(await whoAmI()).toBe(user)
      // One for commands, and one that listens.
      expect(await servers.usersOn(servers.master.port)).toEqual([user, user])
      expect(await servers.usersOn(servers.replica.port)).toEqual([user])
      // PUBLISH counts as a command that only reads, and would go to the replica.
      const publish = (message: string) => redis.sendCommand(false, ['PUBLISH', 'events', message])
      await publish('before')
      await servers.failOver()
      await vi.waitFor(async () => {
        await redis.incr('counter')
        expect(redis.getMasterNode()?.port).toBe(servers.replica.port)
      }, untilThere)
      expect(await whoAmI()).toBe(user)
      const idAfter = await id()
      await rotate(lease, 3)
      expect(await id()).toBe(idAfter)
      expect(await whoAmI()).toBe(lease.current?.username)
      expect(lease.current?.username).not.toBe(user)
      expect(Number(await redis.get('counter'))).toBeGreaterThan(0)
      await publish('after')
      await vi.waitUntil(() => told.length >= 2)
      expect(told).toEqual(['before', 'after'])
      await redis.close()
      await vi.waitFor(async () => expect(await servers.usersOn(servers.replica.port)).toEqual([]))
      await lease.close()
    })

    it('does not go over to a user whom the replica does not know', async () => {
      let on = 2
      const lease = servers.lease({ on: () => on })
      const redis = sentinelOn(lease)
      await redis.connect()
      const user = lease.current?.username
      on = 1
      await expect(lease.rotate()).rejects.toThrow()
      expect(lease.current?.username).toBe(user)
      await redis.set('key', '1')
      await redis.destroy()
      await lease.close()
    })

    it('ends its lease with the last of its duplicates', async () => {
      const credential = servers.lease()
      const redis = vaultRedis(createSentinel({ name: 'cache', sentinelRootNodes: [servers.sentinel] }), {
        credential: () => credential.credential(),
        shared: false,
      })
      const copy = redis.duplicate()
      await Promise.all([redis.connect(), copy.connect()])
      await Promise.all([redis.set('key', '1'), copy.set('key', '2')])
      await redis.close()
      expect(redis.lease.status().state).toBe('ready')
      await copy.close()
      expect(redis.lease.status().state).toBe('closed')
      await vi.waitFor(async () => expect(await servers.usersOn(servers.master.port)).toEqual([]))
      await credential.close()
    })
  })
})

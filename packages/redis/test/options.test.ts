import { InvalidOptionError, token } from '@vault-lease/core'
import { Cluster, Redis } from 'ioredis'
import { createClient, createCluster, createSentinel } from 'redis'
import { describe, expect, it } from 'vitest'
import { vaultRedis } from '../src/index.ts'

describe('the options of vaultRedis()', () => {
  const client = (options = {}): Redis => new Redis({ lazyConnect: true, ...options })
  const cluster = (nodes: string[], options = {}): Cluster =>
    new Cluster(nodes, { lazyConnect: true, ...options })
  const vault = { address: 'http://127.0.0.1:1', auth: token('t') }

  it.each([
    ['a user in the client', () => vaultRedis(client({ username: 'me' }), { vault, role: 'app' })],
    ['a password in the client', () => vaultRedis(client({ password: 'secret' }), { vault, role: 'app' })],
    [
      'a user in the URL of node-redis',
      () => vaultRedis(createClient({ url: 'redis://me:secret@cache' }), { vault, role: 'app' }),
    ],
    [
      'a password in the options of node-redis',
      () => vaultRedis(createClient({ password: 'secret' }), { vault, role: 'app' }),
    ],
    [
      'a password in the defaults of a cluster of node-redis',
      () =>
        vaultRedis(createCluster({ rootNodes: [], defaults: { password: 'secret' } }), {
          vault,
          role: 'app',
        }),
    ],
    [
      'a password in a node of a cluster of node-redis',
      () =>
        vaultRedis(createCluster({ rootNodes: [{ url: 'redis://:secret@cache' }] }), { vault, role: 'app' }),
    ],
    [
      'a password in the clients of a sentinel of node-redis',
      () =>
        vaultRedis(
          createSentinel({ name: 'cache', sentinelRootNodes: [], nodeClientOptions: { password: 'secret' } }),
          { vault, role: 'app' },
        ),
    ],
    ['no role', () => vaultRedis(client(), { vault })],
    ['a misspelt option', () => vaultRedis(client(), { vault, roel: 'app' } as object)],
    [
      'a password in the options of a cluster',
      () => vaultRedis(cluster([], { redisOptions: { password: 'secret' } }), { vault, role: 'app' }),
    ],
    [
      'a password in a node of a cluster',
      () => vaultRedis(cluster(['redis://:secret@cache']), { vault, role: 'app' }),
    ],
    [
      'sharded subscribers of a cluster',
      () => vaultRedis(cluster([], { shardedSubscribers: true }), { vault, role: 'app' }),
    ],
    ['no client', () => vaultRedis({}, { vault, role: 'app' })],
  ])('refuse %s', (_what, make) => {
    expect(make).toThrow(InvalidOptionError)
  })

  it('refuse a client that is on a lease already', async () => {
    const redis = vaultRedis(client(), { vault, role: 'app' })
    expect(() => vaultRedis(redis, { vault, role: 'app' })).toThrow('on a lease already')
    await redis.quit()
  })
})

import { InvalidOptionError, type LeaseManager } from '@vault-lease/core'
import { takeLease } from '@vault-lease/core/adapter'
import * as ioredis from './ioredis/adopt.ts'
import * as ioredisCluster from './ioredis/cluster.ts'
import { isIoredis, isIoredisCluster } from './ioredis/driver.ts'
import { type Driver, LeasedConnections } from './leased-connections.ts'
import * as nodeRedis from './node-redis/adopt.ts'
import * as nodeRedisCluster from './node-redis/cluster.ts'
import { isNodeRedis, isNodeRedisCluster, isNodeRedisSentinel } from './node-redis/driver.ts'
import * as nodeRedisSentinel from './node-redis/sentinel.ts'
import type { VaultRedisOptions } from './options.ts'

/** What a client has in addition. */
export interface OnLease extends AsyncDisposable {
  /** The lease under the client: its status, events and `rotate()`. */
  readonly lease: LeaseManager
  /** Closes the client and its duplicates in good order, and the lease if it is ours: `closeOnSignal(redis)`, `await using`. */
  [Symbol.asyncDispose](): Promise<void>
}

/**
 * Puts a client of ioredis or node-redis on a lease: its connections, and those of its duplicates, belong to a user that Vault
 * creates and replaces. It is the client that was given, to be called before it is used, in the same breath as it is made.
 *
 * When the client and its duplicates are closed, the lease is revoked, and the token given back if the library logged in for it.
 *
 * @example
 * const redis = vaultRedis(new Redis('redis://cache.internal'), { role: 'app' })
 * await redis.set('key', 'value')
 * await redis.quit()
 *
 * @example
 * const client = vaultRedis(createClient({ url: 'redis://cache.internal' }), { role: 'app' })
 * await client.connect()
 *
 * @throws InvalidOptionError for a misspelt option, a missing role, a client that is none, or one with a user or password.
 */
export function vaultRedis<Client extends object>(
  client: Client,
  options: VaultRedisOptions = {},
): Client & OnLease {
  if ('lease' in client) throw new InvalidOptionError('The client is on a lease already.')
  const { driver, adopt } = driverOf(client)
  const { open } = takeLease(options, [])
  const connections = new LeasedConnections(open(), driver)
  adopt(connections)
  return Object.assign(client, {
    lease: connections.lease,
    [Symbol.asyncDispose]: () => connections.close(),
  })
}

function driverOf(client: object): {
  readonly driver: Driver
  readonly adopt: (connections: LeasedConnections) => void
} {
  if (isIoredis(client)) {
    return { driver: ioredis.driverOf(client), adopt: (connections) => ioredis.adopt(client, connections) }
  }
  if (isIoredisCluster(client)) {
    return {
      driver: ioredisCluster.driverOfCluster(client),
      adopt: (connections) => ioredisCluster.adoptCluster(client, connections),
    }
  }
  if (isNodeRedis(client)) {
    return {
      driver: nodeRedis.driverOf(client),
      adopt: (connections) => nodeRedis.adopt(client, connections),
    }
  }
  if (isNodeRedisCluster(client)) {
    return {
      driver: nodeRedisCluster.driverOfCluster(client),
      adopt: (connections) => nodeRedisCluster.adoptCluster(client, connections),
    }
  }
  if (isNodeRedisSentinel(client)) {
    return {
      driver: nodeRedisSentinel.driverOfSentinel(client),
      adopt: (connections) => nodeRedisSentinel.adoptSentinel(client, connections),
    }
  }
  throw new InvalidOptionError(
    'The first argument is a client: "new Redis(url)" or "new Cluster(nodes)" of ioredis, "createClient({ url })", "createCluster({ rootNodes })" or "createSentinel({ name, sentinelRootNodes })" of node-redis.',
  )
}

import type { Credential } from '@vault-lease/core'
import { InvalidOptionError } from '@vault-lease/core'
import { unlessAborted } from '@vault-lease/core/adapter'
import type { Driver, LeasedConnections, Logins } from '../leased-connections.ts'
import { checkNoLogin } from '../options.ts'
import { adopt } from './adopt.ts'
import { calledBack } from './called-back.ts'
import { IoredisConnection } from './connection.ts'
import type { IoredisClient, IoredisCluster, StartupNode } from './driver.ts'

/** Where a client of a cluster connects, and how it logs in once: on every node, as a user must exist on each. */
export function driverOfCluster(cluster: IoredisCluster): Driver {
  checkNoLogin(cluster.options.redisOptions ?? {})
  for (const node of cluster.startupNodes) checkNoLogin(loginOf(node))
  if (cluster.options.shardedSubscribers) {
    throw new InvalidOptionError(
      'Leave out "shardedSubscribers": those connections cannot be kept on a lease.',
    )
  }
  const { duplicate } = cluster
  return {
    place: `redis+cluster://${cluster.startupNodes.map(addressOf).join(',')}`,
    tryOn: (credential, signal) => {
      const options = { lazyConnect: true, clusterRetryStrategy: null }
      return logInOnEachNode(duplicate.call(cluster, [], options), credential, signal)
    },
  }
}

/** Keeps a client of a cluster, its nodes as it finds them, and every duplicate of it on the lease. */
export function adoptCluster(cluster: IoredisCluster, connections: LeasedConnections): void {
  const client = { close: () => cluster.quit().catch(() => cluster.disconnect()) }
  connections.opened(client)
  for (const node of cluster.nodes()) adopt(node, connections)
  cluster.on('+node', (node: IoredisClient) => adopt(node, connections))
  const { subscriber } = cluster
  const { selectSubscriber } = subscriber
  subscriber.selectSubscriber = () => {
    selectSubscriber.call(subscriber)
    const chosen = subscriber.getInstance()
    if (chosen) adopt(chosen, connections)
  }
  // Whoever closes it by quit() is told what comes of it.
  const ended = new Promise<void>((resolve) => {
    cluster.once('end', () => resolve(connections.closed(client).catch(() => {})))
  })
  const { duplicate, quit } = cluster
  cluster.duplicate = (nodes, options) => {
    const copy = duplicate.call(cluster, nodes, options)
    adoptCluster(copy, connections)
    return copy
  }
  const leave = async (): Promise<'OK'> => {
    if (cluster.status !== 'end') {
      await connections.farewell(quit.call(cluster), () => {
        if (cluster.status !== 'end') cluster.disconnect()
      })
    }
    await ended
    return 'OK'
  }
  cluster.quit = (callback) => calledBack(leave(), callback)
}

/** @throws what a server or the way to it says, or the reason of the signal. */
async function logInOnEachNode(
  cluster: IoredisCluster,
  credential: Credential,
  signal: AbortSignal,
): Promise<{ readonly gone: Promise<void> }> {
  const gone: Promise<void>[] = []
  let failure: unknown
  const logins: Logins = {
    current: credential,
    credential: async () => credential,
    async refused(_credential, error) {
      failure = error
      return false
    },
    accepted() {},
    loggedIn() {},
  }
  const follow = (redis: IoredisClient): IoredisClient => {
    new IoredisConnection(redis, logins)
    gone.push(new Promise((resolve) => redis.once('end', () => resolve())))
    redis.on('error', (error) => {
      failure ??= error
    })
    const { duplicate } = redis
    redis.duplicate = (override) => follow(duplicate.call(redis, override))
    return redis
  }
  cluster.on('+node', follow)
  cluster.on('error', (error) => {
    failure ??= error
  })
  const onEach = async (): Promise<void> => {
    await new Promise<void>((resolve, reject) => {
      // A cluster that is not well after it was found does not settle its connect().
      cluster.once('end', () => reject(new Error('None of the nodes is available.')))
      cluster.connect().then(resolve, reject)
    })
    await Promise.all(cluster.nodes().map((node) => node.ping()))
  }
  try {
    await unlessAborted(onEach(), signal)
    return { gone: Promise.all(gone).then(() => {}) }
  } catch (error) {
    throw signal.aborted ? error : (failure ?? error)
  } finally {
    cluster.disconnect()
  }
}

function loginOf(node: StartupNode): { readonly username?: unknown; readonly password?: unknown } {
  if (typeof node !== 'string' || !URL.canParse(node)) return typeof node === 'object' ? node : {}
  return new URL(node)
}

function addressOf(node: StartupNode): string {
  if (typeof node === 'object') return `${node.host ?? '127.0.0.1'}:${node.port ?? 6379}`
  return typeof node === 'string' && URL.canParse(node) ? new URL(node).host : `127.0.0.1:${node}`
}

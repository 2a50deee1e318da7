import { type Credential, InvalidOptionError } from '@vault-lease/core'
import { unlessAborted } from '@vault-lease/core/adapter'
import type { Driver, LeasedConnections, Logins } from '../leased-connections.ts'
import { checkNoLogin } from '../options.ts'
import { adopt } from './adopt.ts'
import { ended } from './close-in-order.ts'
import { defaultConnectTimeoutMs, NodeRedisConnection } from './connection.ts'
import { providerOf, whose } from './credentials-provider.ts'
import type { NodeRedisClient, NodeRedisCluster } from './driver.ts'
import { destroyed, onlyAs } from './log-in-once.ts'

/** Where a client of a cluster connects, and how it logs in once: on every node, as a user must exist on each. */
export function driverOfCluster({ _self: cluster }: NodeRedisCluster): Driver {
  if (!cluster._options) {
    throw new InvalidOptionError('Clusters need a newer version of node-redis, such as 5.12.')
  }
  const { defaults, rootNodes } = cluster._options
  for (const { credentialsProvider, url, ...login } of [defaults ?? {}, ...rootNodes]) {
    checkNoLogin(credentialsProvider ? { username: 'its own' } : login)
    if (url) checkNoLogin(new URL(url))
  }
  const { duplicate } = cluster
  return {
    place: `redis+cluster://${rootNodes.map(hostOf).join(',')}`,
    tryOn: (credential, signal) => {
      const socket = { ...defaults?.socket, reconnectStrategy: false }
      const options = { defaults: { ...defaults, socket }, minimizeConnections: false }
      return logInOnEachNode(duplicate.call(cluster, options), credential, signal)
    },
  }
}

/** Keeps a client of a cluster, its nodes as it finds them, and every duplicate of it on the lease. */
export function adoptCluster({ _self: cluster }: NodeRedisCluster, connections: LeasedConnections): void {
  keepNodes(cluster, connections.attachment, (node) => adopt(node, connections))
  // Commands tell what goes wrong: no process needs to end.
  cluster.on('error', () => {})
  const { close, destroy, disconnect, duplicate, quit } = cluster
  let ended: Promise<void> | undefined
  const end = (): Promise<void> => {
    ended ??= connections.closed(client).catch(() => {})
    return ended
  }
  const leave = async (by: () => Promise<unknown>): Promise<void> => {
    if (cluster.isOpen) await connections.farewell(by(), () => {})
    await end()
  }
  cluster.close = () => leave(() => close.call(cluster))
  cluster.quit = () => leave(() => quit.call(cluster))
  cluster.disconnect = () => leave(() => disconnect.call(cluster))
  cluster.destroy = () => {
    destroy.call(cluster)
    void end()
  }
  const client = { close: cluster.close }
  connections.opened(client)
  cluster.duplicate = function leasedToo(this: NodeRedisCluster, overrides) {
    const copy = duplicate.call(this, overrides)
    adoptCluster(copy, connections)
    return copy
  }
}

/** Has every node log in by the lease: a new one is found when it asks how. */
function keepNodes(
  cluster: NodeRedisCluster,
  logins: Pick<Logins, 'credential'>,
  keep: (node: NodeRedisClient) => void,
): void {
  const kept = new WeakSet<NodeRedisClient>()
  const keepNew = (): void => {
    for (const { _self: node } of clientsOf(cluster)) {
      if (kept.has(node)) continue
      kept.add(node)
      keep(node)
    }
  }
  const credentialsProvider = providerOf(async (listener) => {
    const known = whose(listener)
    if (known) return await known.logIn()
    keepNew()
    // What only looks for the nodes is gone at once.
    return await (whose(listener)?.logIn() ?? logins.credential({ timeoutMs: defaultConnectTimeoutMs }))
  })
  cluster._options.defaults = { ...cluster._options.defaults, credentialsProvider }
}

function* clientsOf({ nodeByAddress, pubSubNode }: NodeRedisCluster): Iterable<NodeRedisClient> {
  for (const { client, pubSub } of nodeByAddress.values()) {
    if (client) yield client
    if (pubSub) yield pubSub.client
  }
  if (pubSubNode) yield pubSubNode.client
}

/** @throws what a server or the way to it says, or the reason of the signal. */
async function logInOnEachNode(
  cluster: NodeRedisCluster,
  credential: Credential,
  signal: AbortSignal,
): Promise<{ readonly gone: Promise<void> }> {
  const logins = onlyAs(credential)
  const nodes: NodeRedisConnection[] = []
  let failure: unknown
  const failed = (error: unknown): void => {
    failure ??= error
  }
  keepNodes(cluster, logins, (node) => {
    nodes.push(new NodeRedisConnection(node, logins))
    node.on('error', failed)
  })
  cluster.on('error', failed)
  const leave = (): void => destroyed(() => cluster.destroy())
  const onEach = async (): Promise<void> => {
    await cluster.connect()
    // It is content with some of them, and some of its versions keep a client that has failed.
    const found = Array.from(cluster.nodeByAddress.values(), (node) => cluster.nodeClient(node))
    for (const node of await Promise.all(found)) await node.sendCommand(['PING'])
  }
  try {
    await unlessAborted(onEach(), signal)
    return { gone: Promise.all(nodes.map(ended)).then(leave) }
  } catch (error) {
    leave()
    throw signal.aborted ? error : (failure ?? error)
  }
}

function hostOf({ url, socket }: NodeRedisClient['options']): string {
  if (url) return new URL(url).host
  return `${socket?.host ?? 'localhost'}:${socket?.port ?? 6379}`
}

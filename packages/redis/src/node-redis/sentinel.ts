import { type Credential, InvalidOptionError } from '@vault-lease/core'
import { unlessAborted } from '@vault-lease/core/adapter'
import type { Driver, LeasedConnections, Logins } from '../leased-connections.ts'
import { checkNoLogin } from '../options.ts'
import { adopt } from './adopt.ts'
import { ended } from './close-in-order.ts'
import { defaultConnectTimeoutMs } from './connection.ts'
import { kindOf, listening, providerOf, whose } from './credentials-provider.ts'
import type { NodeRedisClient, NodeRedisSentinel, SentinelOptions, StreamingCredentials } from './driver.ts'
import { socketOf } from './socket-of.ts'

/** Where a client that asks sentinels connects, and how it logs in once: on the master, and on the replicas if it reads from them. */
export function driverOfSentinel({ _self: sentinel }: NodeRedisSentinel): Driver {
  const { name, nodeClientOptions, replicaPoolSize, sentinelRootNodes } = optionsOf(sentinel)
  checkNoLogin(nodeClientOptions?.credentialsProvider ? { username: 'its own' } : { ...nodeClientOptions })
  const { duplicate } = sentinel
  return {
    place: `redis+sentinel://${sentinelRootNodes.map(({ host, port }) => `${host}:${port}`).join(',')}/${name}`,
    tryOn: (credential, signal) => {
      const once = loggingInOnce(nodeClientOptions, credential)
      const reading = { replicaPoolSize: Math.min(replicaPoolSize ?? 0, 1) }
      return logInOnEach(duplicate.call(sentinel, { ...once, ...reading }), signal)
    },
  }
}

/** Keeps a client that asks sentinels, its connections to master and replicas, and every duplicate of it on the lease. */
export function adoptSentinel({ _self: sentinel }: NodeRedisSentinel, connections: LeasedConnections): void {
  const { close, destroy, duplicate } = sentinel
  logInBy(sentinel, providerFor(sentinel, connections))
  // Commands tell what goes wrong: no process needs to end.
  sentinel.on('error', () => {})
  let ended: Promise<void> | undefined
  const end = (): Promise<void> => {
    ended ??= connections.closed(client).catch(() => {})
    return ended
  }
  sentinel.close = async () => {
    const leave = (): void => {
      if (sentinel.isOpen) destroy.call(sentinel).catch(() => {})
    }
    if (sentinel.isOpen) await connections.farewell(close.call(sentinel), leave)
    await end()
  }
  sentinel.destroy = async () => {
    await destroy.call(sentinel)
    await end()
  }
  const client = { close: sentinel.close }
  connections.opened(client)
  sentinel.duplicate = function leasedToo(this: NodeRedisSentinel, overrides) {
    const copy = duplicate.call(this, overrides)
    adoptSentinel(copy, connections)
    return copy
  }
}

/** The options that a client keeps to itself, and tells to whoever it takes for its class. */
function optionsOf(sentinel: NodeRedisSentinel): SentinelOptions {
  let told: SentinelOptions | undefined
  class Duplicate {
    constructor(options: SentinelOptions) {
      told = options
    }
  }
  sentinel.duplicate?.call(Object.create(Duplicate.prototype, { _self: { value: sentinel._self } }))
  if (!told) throw new InvalidOptionError('Sentinels need a newer version of node-redis, such as 6.')
  return told
}

/** What it was told is settled: its place is taken by a duplicate that was told more. */
function logInBy(sentinel: NodeRedisSentinel, credentialsProvider: StreamingCredentials): void {
  const nodeClientOptions = { ...optionsOf(sentinel).nodeClientOptions, credentialsProvider }
  const { _self: leased } = sentinel.duplicate({ nodeClientOptions })
  leased.emit = sentinel.emit.bind(sentinel)
  sentinel._self = leased
}

/** Has every connection to master and replicas log in by the lease: a new one is found when it asks how. */
function providerFor(sentinel: NodeRedisSentinel, connections: LeasedConnections): StreamingCredentials {
  const { nodeClientOptions } = optionsOf(sentinel)
  const { duplicate } = sentinel
  const logins: Logins = connections.attachment
  let kind: NodeRedisClient | undefined
  return providerOf(async (listener) => {
    if (!kind) {
      const credential = await logins.credential({ timeoutMs: defaultConnectTimeoutMs })
      kind = await kindBehind(duplicate.call(sentinel, loggingInOnce(nodeClientOptions, credential)))
    }
    const node = listening(listener, kind)
    if (node) adopt(node, connections)
    return await (whose(listener)?.logIn() ?? logins.credential({ timeoutMs: defaultConnectTimeoutMs }))
  })
}

function loggingInOnce(own: SentinelOptions['nodeClientOptions'], credential: Credential): object {
  const socket = { ...own?.socket, reconnectStrategy: false }
  const credentialsProvider = providerOf(async () => credential)
  return {
    nodeClientOptions: { ...own, socket, credentialsProvider },
    masterPoolSize: 1,
    replicaPoolSize: 0,
    maxCommandRediscovers: 0,
    scanInterval: 0,
    reserveClient: false,
    clientSideCache: undefined,
  }
}

/** What all connections that it makes have in common. It shows none before it has logged in. */
async function kindBehind(once: NodeRedisSentinel): Promise<NodeRedisClient> {
  once.on('error', () => {})
  try {
    await once.connect()
    return kindOf(await lent(once, { isReadonly: false }))
  } finally {
    await once.destroy()
  }
}

/** @throws what a server or the way to it says, or the reason of the signal. */
async function logInOnEach(
  once: NodeRedisSentinel,
  signal: AbortSignal,
): Promise<{ readonly gone: Promise<void> }> {
  once.on('error', () => {})
  const leave = (): Promise<void> => once.destroy().catch(() => {})
  const onEach = async (): Promise<NodeRedisClient[]> => {
    await once.connect()
    const nodes = [await lent(once, { isReadonly: false })]
    for (const _ of once.getReplicaNodes().keys()) nodes.push(await lent(once, { isReadonly: true }))
    return nodes
  }
  try {
    const nodes = await unlessAborted(onEach(), signal)
    const gone = nodes.map((node) => ended({ socket: socketOf(node.ref, node) }))
    return { gone: Promise.all(gone).then(leave) }
  } catch (error) {
    void leave()
    throw error
  }
}

/** A connection to the master, or to the next of the replicas. */
async function lent(
  sentinel: NodeRedisSentinel,
  { isReadonly }: { readonly isReadonly: boolean },
): Promise<NodeRedisClient> {
  return await sentinel._execute(isReadonly, async (node) => node)
}

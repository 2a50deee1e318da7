// What is used of node-redis, some of which its types do not tell. It is not imported: the client that is given brings it along.
import type { EventEmitter } from 'node:events'
import type { Credential } from '@vault-lease/core'

type PubSubType = 'CHANNELS' | 'PATTERNS' | 'SHARDED'
type ChannelListeners = Map<string, unknown>
type Send = (args: readonly unknown[], options?: { readonly abortSignal?: AbortSignal }) => Promise<unknown>
type Unsubscribe = (channels: readonly string[], listener: () => void) => Promise<void>

/** What asks node-redis for a user and a password, each time that a connection logs in. */
export interface StreamingCredentials {
  readonly type: 'streaming-credentials-provider'
  subscribe(listener: Listener): Promise<[Pick<Credential, 'username' | 'password'>, { dispose(): void }]>
  onReAuthenticationError(error: Error): void
}

/** The connection that logs in. */
export interface Listener {
  onNext(credentials: object): void
}

interface SocketOptions {
  readonly host?: string | undefined
  readonly port?: number | undefined
  readonly path?: string | undefined
  readonly tls?: boolean | undefined
  readonly connectTimeout?: number | undefined
}

interface NodeRedisOptions {
  readonly url?: string | undefined
  readonly username?: string | undefined
  readonly password?: string | undefined
  readonly database?: number | undefined
  readonly socket?: SocketOptions | undefined
  readonly RESP?: 2 | 3 | undefined
  credentialsProvider?: StreamingCredentials | object | undefined
}

/** A client of one connection. What is set on `_self` is there for every view of it, such as `withTypeMapping()` gives. */
export interface NodeRedisClient extends EventEmitter {
  readonly _self: NodeRedisClient
  readonly options: NodeRedisOptions
  readonly isOpen: boolean
  readonly isReady: boolean
  readonly isPubSubActive: boolean
  readonly isWatching: boolean
  sendCommand: Send
  _executeMulti: (...args: unknown[]) => Promise<unknown>
  _executePipeline: (...args: unknown[]) => Promise<unknown>
  reAuthenticate: (credentials: object) => Promise<void>
  duplicate: (overrides?: object) => NodeRedisClient
  createPool: (options?: object) => NodeRedisPool
  connect(): Promise<unknown>
  close: () => Promise<void>
  quit: () => Promise<unknown>
  QUIT: () => Promise<unknown>
  disconnect: () => Promise<void>
  destroy: () => void
  ref: () => void
  unref: () => void
  getPubSubListeners(type: PubSubType): ChannelListeners
  extendPubSubListeners(type: PubSubType, listeners: ChannelListeners): Promise<void>
  UNSUBSCRIBE: Unsubscribe
  PUNSUBSCRIBE: Unsubscribe
  SUNSUBSCRIBE: Unsubscribe
}

/** Clients of one connection each, made of the same options. */
export interface NodeRedisPool extends EventEmitter {
  readonly _self: NodeRedisPool
  readonly constructor: { create(clientOptions: object, options?: object): NodeRedisPool }
  close: () => Promise<void>
  destroy: () => void
}

interface ClusterNode {
  readonly client?: NodeRedisClient | undefined
  /** What listens to the sharded channels of a master. */
  readonly pubSub?: { readonly client: NodeRedisClient } | undefined
}

interface ClusterOptions {
  readonly rootNodes: readonly NodeRedisOptions[]
  defaults?: NodeRedisOptions | undefined
}

/** A client of a cluster: it has one of one connection for each node, and some that listen. */
export interface NodeRedisCluster extends EventEmitter {
  readonly _self: NodeRedisCluster
  /** Not there in the first versions. */
  readonly _options: ClusterOptions
  readonly isOpen: boolean
  readonly nodeByAddress: ReadonlyMap<string, ClusterNode>
  readonly pubSubNode?: { readonly client: NodeRedisClient } | undefined
  nodeClient(node: ClusterNode): Promise<NodeRedisClient>
  duplicate: (overrides?: object) => NodeRedisCluster
  connect(): Promise<unknown>
  close: () => Promise<unknown>
  quit: () => Promise<unknown>
  disconnect: () => Promise<unknown>
  destroy: () => void
}

interface SentinelNode {
  readonly host: string
  readonly port: number
}

export interface SentinelOptions {
  readonly name: string
  readonly sentinelRootNodes: readonly SentinelNode[]
  readonly replicaPoolSize?: number | undefined
  readonly nodeClientOptions?: NodeRedisOptions | undefined
}

/** A client that asks sentinels where the master is: it has some of one connection for master and replicas, and one that listens. */
export interface NodeRedisSentinel extends EventEmitter {
  /** The one that does what is asked of any view of it. */
  _self: NodeRedisSentinel
  readonly isOpen: boolean
  /** Not there in version 5. */
  duplicate: (overrides?: object) => NodeRedisSentinel
  _execute<Result>(isReadonly: boolean, by: (node: NodeRedisClient) => Promise<Result>): Promise<Result>
  getReplicaNodes(): ReadonlyMap<SentinelNode, number>
  connect(): Promise<unknown>
  close: () => Promise<void>
  destroy: () => Promise<void>
}

export function isNodeRedis(client: object): client is NodeRedisClient {
  return '_self' in client && 'isPubSubActive' in client && 'reAuthenticate' in Object(client._self)
}

export function isNodeRedisCluster(client: object): client is NodeRedisCluster {
  return '_self' in client && 'nodeByAddress' in client && 'pubSubNode' in client
}

export function isNodeRedisSentinel(client: object): client is NodeRedisSentinel {
  return '_self' in client && 'getSentinelNode' in client && '_execute' in client
}

// What is used of ioredis, most of which its types do not tell. It is not imported: the client that is given brings it along.
import type { EventEmitter } from 'node:events'
import type { Socket } from 'node:net'

/** A command on its way. */
export interface IoredisCommand {
  readonly name: string
  readonly args: string[]
  readonly promise: Promise<unknown>
  /** What is written to the socket. */
  toWritable(socket: unknown): string | Buffer
  resolve(reply: unknown): void
  reject(error: Error): void
}

/** The pseudo stream of a pipeline. */
export type PipelineStream = object

/** The channels that a connection listens to. */
interface Subscriptions {
  channels(kind: 'subscribe' | 'psubscribe' | 'ssubscribe'): string[]
}

type IoredisStatus =
  | 'wait'
  | 'connecting'
  | 'connect'
  | 'ready'
  | 'monitoring'
  | 'close'
  | 'reconnecting'
  | 'end'

interface IoredisOptions {
  readonly host?: string | undefined
  readonly port?: number | undefined
  readonly path?: string | undefined
  readonly db?: number | undefined
  readonly username?: string | null | undefined
  readonly password?: string | null | undefined
  readonly sentinels?: readonly { readonly host?: string; readonly port?: number }[] | null
  readonly name?: string | null | undefined
  readonly tls?: object | undefined
  readonly connectTimeout?: number | undefined
}

/** A client of one connection. */
export interface IoredisClient extends EventEmitter {
  readonly isCluster: false
  readonly status: IoredisStatus
  readonly options: IoredisOptions
  readonly stream: Socket | undefined
  readonly commandQueue: { readonly length: number }
  /** Not there before it is connected first. `protocol` came with RESP3. */
  readonly condition?: { subscriber: Subscriptions | false; readonly protocol?: number }
  sendCommand(command: IoredisCommand, stream?: PipelineStream): unknown
  auth(username: string, password: string): Promise<unknown>
  ping(): Promise<unknown>
  connect(): Promise<void>
  disconnect(reconnect?: boolean): void
  quit(callback?: Callback): Promise<unknown>
  duplicate(override?: object): IoredisClient
  flushQueue(error: Error): void
  subscribe(...channels: string[]): Promise<unknown>
  unsubscribe(...channels: string[]): Promise<unknown>
  psubscribe(...patterns: string[]): Promise<unknown>
  punsubscribe(...patterns: string[]): Promise<unknown>
  ssubscribe(...channels: string[]): Promise<unknown>
  sunsubscribe(...channels: string[]): Promise<unknown>
}

export type StartupNode = string | number | Pick<IoredisOptions, 'host' | 'port' | 'username' | 'password'>

/** A client of a cluster: it has one of one connection for each node, and one that listens. */
export interface IoredisCluster extends EventEmitter {
  readonly isCluster: true
  readonly status: IoredisStatus
  readonly startupNodes: readonly StartupNode[]
  readonly options: { readonly redisOptions?: IoredisOptions; readonly shardedSubscribers?: boolean }
  readonly subscriber: { selectSubscriber(): void; getInstance(): IoredisClient | null }
  nodes(): IoredisClient[]
  connect(): Promise<void>
  disconnect(): void
  quit(callback?: Callback): Promise<unknown>
  duplicate(nodes?: StartupNode[], options?: object): IoredisCluster
}

export type Callback = (error: Error | null, reply?: unknown) => void

export function isIoredis(client: object): client is IoredisClient {
  return 'commandQueue' in client && 'offlineQueue' in client && 'status' in client
}

export function isIoredisCluster(client: object): client is IoredisCluster {
  return 'connectionPool' in client && 'startupNodes' in client && 'status' in client
}

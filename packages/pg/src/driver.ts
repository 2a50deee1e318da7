import type { EventEmitter } from 'node:events'
import type { Duplex } from 'node:stream'
import { InvalidOptionError } from '@vault-lease/core'
import type { Client, ClientConfig, Pool, PoolClient, PoolConfig } from 'pg'

/** The class that a pool, or knex, makes its connections of: pg.Client or a subclass of it. */
export type ClientClass = new (config?: string | ClientConfig) => Client

/** What node-postgres 8 has beyond its published types, and what is needed of it here. */
interface Undocumented {
  readonly connectionParameters: { user?: string; password?: string; options?: string | undefined }
  readonly connection: WireConnection
  readonly processID: number | null
  readonly secretKey: number | null
  /** `direct` begins with TLS at once; absent in versions that cannot. */
  readonly sslNegotiation?: string
  /** False while a query runs; absent before the first one could. */
  readonly readyForQuery?: boolean
  /** It was told to end. */
  readonly _ending?: boolean
  /** The query that runs, in pg 8.23. */
  readonly _activeQuery?: unknown
  /** The same in pg 8.11; absent before the first one could run. */
  readonly activeQuery?: unknown
}

export type Release = PoolClient['release']

/** pg.Pool with what is needed of it here beyond its published types. */
export interface ReleasingPool extends Pool {
  /** Makes the `release` of a client that is about to be handed out. */
  _releaseOnce(client: PoolClient, idleListener: () => void): Release
  /** Takes a client back, or strikes it off after an error. */
  _release(client: PoolClient, idleListener: () => void, error?: Error | boolean): void
}

/** The protocol layer below a client: pg.Connection. */
export interface WireConnection extends EventEmitter {
  stream: Duplex
  connect(socket: string): void
  connect(port: number, host: string): void
  requestSsl(): void
  cancel(processID: number, secretKey: number): void
  /** Closes a portal or a prepared statement. */
  close(message: unknown): void
  end(): void
}

export type PgClient = Client & Undocumented

/** The classes whose clients are known to have what is needed, when they are made and when they have connected. */
const known = { made: new WeakSet<object>(), connected: new WeakSet<object>() }

/**
 * The client with its undocumented parts, once they are known to be there.
 *
 * @throws InvalidOptionError when the driver is not a node-postgres 8 that works the way this package needs.
 */
export function asPgClient(client: Client): PgClient {
  if (known.made.has(client.constructor) || isPgClient(client)) {
    known.made.add(client.constructor)
    return client as PgClient
  }
  throw unsupported('a client lacks connectionParameters, connection, processID, secretKey or ssl')
}

/**
 * What the option "stream" gives, once it is known to be a stream.
 *
 * @throws InvalidOptionError
 */
export function asStream(given: Duplex | undefined): Duplex {
  if (typeof given?.destroy === 'function' && typeof given.on === 'function') return given
  throw new InvalidOptionError('The function in "stream" has to give a stream, such as a net.Socket.')
}

/**
 * The class of pools with its undocumented parts.
 *
 * @throws InvalidOptionError when it is not one of node-postgres 8 that works the way this package needs.
 */
export function asReleasingPool(PoolClass: typeof Pool): new (config?: PoolConfig) => ReleasingPool {
  const { _releaseOnce, _release } = PoolClass.prototype as Pool & Partial<ReleasingPool>
  if (typeof _releaseOnce === 'function' && typeof _release === 'function')
    return PoolClass as unknown as new (
      config?: PoolConfig,
    ) => ReleasingPool
  throw unsupported('a pool lacks _releaseOnce or _release')
}

/** Why a client cannot be used that has just connected: some of its parts are there only then. */
export function unsupportedOnceConnected(client: PgClient): InvalidOptionError | undefined {
  if (known.connected.has(client.constructor)) return undefined
  const hasQuery = '_activeQuery' in client || 'activeQuery' in client
  if (!hasQuery || typeof client.readyForQuery !== 'boolean')
    return unsupported('a client lacks readyForQuery or _activeQuery')
  known.connected.add(client.constructor)
  return undefined
}

/** The query that runs, if one does. */
export function activeQueryOf(client: PgClient): unknown {
  return '_activeQuery' in client ? client._activeQuery : client.activeQuery
}

function isPgClient(client: Client): client is PgClient {
  const { connectionParameters, connection, processID, secretKey, ssl } = client as Partial<PgClient>
  const hasParameters = ['user', 'password', 'options'].every(
    (name) => connectionParameters && name in connectionParameters,
  )
  const methods = ['connect', 'requestSsl', 'cancel', 'close', 'end', 'on', 'prependListener'] as const
  const hasWire = methods.every((method) => typeof connection?.[method] === 'function')
  const hasStream = typeof connection?.stream?.destroy === 'function'
  const hasSession = [processID, secretKey, ssl].every((part) => part !== undefined)
  return hasParameters && hasWire && hasStream && hasSession
}

function unsupported(what: string): InvalidOptionError {
  return new InvalidOptionError(
    `This version of pg is not supported: ${what}. ` +
      'Use the JavaScript client of pg 8 (not pg.native), or upgrade @vault-lease/pg.',
  )
}

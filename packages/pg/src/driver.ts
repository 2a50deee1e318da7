import type { EventEmitter } from 'node:events'
import type { Duplex } from 'node:stream'
import { InvalidOptionError } from '@vault-lease/core'
import type { Client, ClientConfig } from 'pg'

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
  /** The query that runs, in pg 8.23. */
  readonly _activeQuery?: unknown
  /** The same in pg 8.11; absent before the first one could run. */
  readonly activeQuery?: unknown
}

/** The protocol layer below a client: pg.Connection. */
export interface WireConnection extends EventEmitter {
  readonly stream: Duplex
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
  throw unsupported('connectionParameters, connection, processID, secretKey or ssl')
}

/** Why a client cannot be used that has just connected: some of its parts are there only then. */
export function unsupportedOnceConnected(client: PgClient): InvalidOptionError | undefined {
  if (known.connected.has(client.constructor)) return undefined
  const hasQuery = '_activeQuery' in client || 'activeQuery' in client
  if (!hasQuery || typeof client.readyForQuery !== 'boolean')
    return unsupported('readyForQuery or _activeQuery')
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

function unsupported(parts: string): InvalidOptionError {
  return new InvalidOptionError(
    `This version of pg is not supported: a client lacks ${parts}. ` +
      'Use the JavaScript client of pg 8 (not pg.native), or upgrade @vault-lease/pg.',
  )
}

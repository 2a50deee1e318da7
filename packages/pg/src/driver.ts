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
  /** False while a query runs; absent before the first one could. */
  readonly readyForQuery?: boolean
  readonly processID: number | null
  readonly secretKey: number | null
}

/** The protocol layer below a client: pg.Connection. */
export interface WireConnection extends EventEmitter {
  readonly stream: Duplex & { setTimeout?(ms: number, onTimeout: () => void): unknown }
  connect(socket: string): void
  connect(port: number, host: string): void
  requestSsl(): void
  cancel(processID: number, secretKey: number): void
  /** Closes a portal or a prepared statement. */
  close(message: unknown): void
  end(): void
}

export type PgClient = Client & Undocumented

/**
 * The client with its undocumented parts, once they are known to be there.
 *
 * @throws InvalidOptionError when the driver is not a node-postgres 8 that works the way this package needs.
 */
export function asPgClient(client: Client): PgClient {
  if (isPgClient(client)) return client
  throw new InvalidOptionError(
    'This version of pg is not supported: a client lacks connectionParameters, connection or processID. ' +
      'Use the JavaScript client of pg 8 (not pg.native), or upgrade @vault-lease/pg.',
  )
}

function isPgClient(client: Client): client is PgClient {
  const { connectionParameters, connection } = client as Partial<PgClient>
  const hasParameters = typeof connectionParameters === 'object' && 'user' in connectionParameters
  const methods = ['connect', 'requestSsl', 'cancel', 'close', 'end', 'on'] as const
  const hasWire = methods.every((method) => typeof connection?.[method] === 'function')
  return hasParameters && hasWire && 'processID' in client
}

import type { EventEmitter } from 'node:events'
import type { Socket } from 'node:net'
import { InvalidOptionError } from '@vault-lease/core'
import type {
  Connection,
  ConnectionOptions,
  createConnection,
  createPool,
  Pool,
  PoolConnection,
} from 'mysql2'
import type { Admission } from './admission.ts'

/** mysql2 itself, as far as it is needed here: the copy that the caller, or the ORM, uses. */
export interface MySqlDriver {
  readonly createPool: typeof createPool
  readonly createConnection: typeof createConnection
  readonly Connection: { readonly prototype: unknown }
}

/** A packet from the server. */
interface Packet {
  isError(): boolean
  clone(): Packet
  asError(encoding: string): { readonly errno?: number }
}

/** Something that was asked of a connection. */
export interface Command extends EventEmitter {
  onResult?: (error: Error) => void
}

/** What mysql2 has beyond its published types, and what is needed of it here. */
interface Undocumented {
  addCommand(command: Command): Command
  handlePacket(packet?: Packet): void
}

export type MySqlConnection = Connection & Undocumented

/** A connection that a pool of mysql2 has made. */
export type PooledConnection = PoolConnection &
  Undocumented & {
    /** The pool that it is in. */
    readonly _pool: object | null
  }

/** What mysql2 gives to the option `stream` when it is a function. */
export interface StreamPlace {
  readonly config: Pick<ConnectionOptions, 'host' | 'port' | 'socketPath' | 'keepAliveInitialDelay'> & {
    readonly enableKeepAlive?: boolean
    user?: string | undefined
    password?: string | undefined
  }
}

/** The caller's option `stream`, as a function. */
export type OpenStream = (place: StreamPlace) => Socket

/** The pool with its undocumented parts. */
export type UnderlyingPool = Omit<Pool, 'getConnection' | 'releaseConnection' | 'end'> & {
  readonly config: Admission & {
    readonly connectionLimit: number
    readonly connectionConfig: { readonly connectTimeout: number }
  }
  getConnection(
    done: (error: Error | null | undefined, connection: PooledConnection | undefined) => void,
  ): void
  releaseConnection(connection: PooledConnection): void
  end(ended?: (error?: Error) => void): unknown
}

/** @throws InvalidOptionError when the driver is not a mysql2 3 that works the way this package needs. */
export function asUnderlyingPool(pool: Pool): UnderlyingPool {
  const { config } = pool as unknown as Partial<UnderlyingPool>
  if (typeof config?.connectionLimit === 'number' && typeof config.connectionConfig === 'object')
    return pool as unknown as UnderlyingPool
  throw unsupported('a pool lacks config.connectionLimit or config.connectionConfig')
}

/** @throws InvalidOptionError when the driver is not a mysql2 3 that works the way this package needs. */
export function asPooledConnection(connection: PoolConnection): PooledConnection {
  if ('_pool' in connection) return connection as PooledConnection
  throw unsupported('a connection of a pool lacks _pool')
}

/** @throws InvalidOptionError when the driver is not a mysql2 3 that works the way this package needs. */
export function asMySqlConnection(connection: Connection): MySqlConnection {
  const { addCommand, handlePacket } = connection as Partial<MySqlConnection>
  if (typeof addCommand === 'function' && typeof handlePacket === 'function')
    return connection as MySqlConnection
  throw unsupported('a connection lacks addCommand or handlePacket')
}

function unsupported(reason: string): InvalidOptionError {
  return new InvalidOptionError(
    `This version of mysql2 is not supported: ${reason}. Use mysql2 3, or upgrade @vault-lease/mysql2.`,
  )
}

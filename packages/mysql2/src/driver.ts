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
  Query,
} from 'mysql2'
import type { Admission } from './admission.ts'

/** mysql2 itself, as far as it is needed here: the copy that the caller, or the ORM, uses. */
export interface MySqlDriver {
  readonly createPool: typeof createPool
  readonly createConnection: typeof createConnection
  readonly Connection: {
    readonly prototype: Connection
    createQuery(sql: string, values: unknown[], answered: () => void, config: object): Query
  }
}

/** Something that was asked of a connection. */
export interface Command extends EventEmitter {
  /** The callback, where there is one. */
  onResult?: (error: Error | null | undefined, ...answer: unknown[]) => void
}

/** Whether a command is the farewell, whose class the driver does not publish. */
export function isFarewell(command: Command): boolean {
  return command.constructor.name === 'Quit'
}

/** A connection with what mysql2 has beyond its published types. */
export type MySqlConnection = Connection & {
  /** Everything that is asked of the connection goes through it. */
  addCommand(command: Command): Command
  /** The command that runs, if one does: the first is the handshake. */
  readonly _command?: Command | null
}

/** What mysql2 gives to the option `stream` when it is a function. */
export interface StreamPlace {
  /** The configuration of this connection alone. */
  readonly config: Pick<ConnectionOptions, 'host' | 'port' | 'socketPath' | 'keepAliveInitialDelay'> & {
    readonly enableKeepAlive?: boolean
    user?: string | undefined
    password?: string | undefined
    stream?: unknown
  }
}

/** The caller's option `stream`, as a function. */
export type OpenStream = (place: StreamPlace) => Socket

/** The pool with what mysql2 has beyond its published types. */
export type UnderlyingPool = Omit<Pool, 'getConnection' | 'releaseConnection' | 'end'> & {
  readonly config: Admission & {
    readonly connectionLimit: number
    readonly connectionConfig: { readonly connectTimeout: number; readonly queryFormat?: unknown }
    /** Absent before mysql2 had the option. */
    readonly resetOnRelease?: boolean
  }
  /** The connections that nobody uses. */
  readonly _freeConnections: { readonly length: number }
  /** Who waits for a connection. */
  readonly _connectionQueue: { readonly length: number }
  /** Those that are being opened, too. */
  readonly _allConnections: { peekBack(): Connection | undefined }
  getConnection(done: (error: Error | null | undefined, connection: PoolConnection | undefined) => void): void
  releaseConnection(connection: PoolConnection): void
  /** A connection that has ended calls it: the pool gives its place to whoever is next in the queue. */
  _removeConnection(connection: PoolConnection): void
  end(ended?: (error?: Error) => void): unknown
  /** A configuration for one connection, which mysql2 makes as it opens it. */
  _createConnectionConfig(): object
}

/** @throws InvalidOptionError when the driver is not a mysql2 3 that works the way this package needs. */
export function checkDriver(driver: MySqlDriver): void {
  const { Connection }: Partial<MySqlDriver> = driver
  if (!Connection) throw unsupported('it has no Connection')
  asMySqlConnection(Connection.prototype)
  const answered = (): void => {}
  const { onResult } = Connection.createQuery('do 0', [], answered, {}) as Command
  if (onResult !== answered) throw unsupported('a query lacks onResult')
}

/** @throws InvalidOptionError when the driver is not a mysql2 3 that works the way this package needs. */
export function asUnderlyingPool(pool: Pool): UnderlyingPool {
  const { config, _allConnections, _freeConnections, _connectionQueue } =
    pool as unknown as Partial<UnderlyingPool>
  const { _removeConnection, _createConnectionConfig } = pool as unknown as Partial<UnderlyingPool>
  const { connectionLimit, queueLimit, waitForConnections, connectionConfig }: Partial<typeof config> =
    config ?? {}
  const hasLimits = typeof connectionLimit === 'number' && typeof queueLimit === 'number'
  if (!hasLimits || typeof waitForConnections !== 'boolean')
    throw unsupported('a pool lacks config.connectionLimit, config.queueLimit or config.waitForConnections')
  if (!connectionConfig || !('connectTimeout' in connectionConfig))
    throw unsupported('a pool lacks config.connectionConfig.connectTimeout')
  if (typeof _freeConnections?.length !== 'number') throw unsupported('a pool lacks _freeConnections')
  if (typeof _connectionQueue?.length !== 'number') throw unsupported('a pool lacks _connectionQueue')
  if (typeof _allConnections?.peekBack !== 'function') throw unsupported('a pool lacks _allConnections')
  if (typeof _removeConnection !== 'function') throw unsupported('a pool lacks _removeConnection')
  if (typeof _createConnectionConfig !== 'function') throw unsupported('a pool lacks _createConnectionConfig')
  return pool as unknown as UnderlyingPool
}

/** @throws InvalidOptionError when the driver is not a mysql2 3 that works the way this package needs. */
export function asMySqlConnection(connection: Connection): MySqlConnection {
  const { addCommand } = connection as Partial<MySqlConnection>
  if (typeof addCommand === 'function') return connection as MySqlConnection
  throw unsupported('a connection lacks addCommand')
}

/** Whether a connection of a pool has ended, or is about to. */
export function hasLeftPool(connection: PoolConnection): boolean {
  return (connection as PoolConnection & { readonly _pool: object | null })._pool === null
}

export function unsupported(reason: string): InvalidOptionError {
  return new InvalidOptionError(
    `This version of mysql2 is not supported: ${reason}. Use mysql2 3.23.3 or later, or upgrade @vault-lease/mysql2.`,
  )
}

import { InvalidOptionError } from '@vault-lease/core'
import type { Sequelize } from 'sequelize'
import { type Connection, isSequelizePool, type SequelizePool } from './sequelize-pool.ts'

/** What Sequelize knows of one server when it connects. */
export interface ServerConfig {
  readonly host?: string | undefined
  readonly port?: number | string | undefined
  readonly database?: string | undefined
  readonly username?: string | undefined
  readonly password?: string | null | undefined
  readonly dialectOptions?: object | undefined
}

/** What runs one statement in Sequelize. */
export type QueryClass = new (
  connection: Connection,
  sequelize: object,
  options: object,
) => {
  /** Makes an error of Sequelize's of one of the driver. */
  formatError(error: unknown, stack?: string): unknown
}

/** The connection manager inside a Sequelize, of which Sequelize 6 types little. */
export interface ConnectionManager {
  readonly dialectName: string
  readonly config: ServerConfig & { readonly replication?: Replication | false | null | undefined }
  readonly dialect: { Query: QueryClass }
  /** The module of the driver. */
  lib: object
  readonly pool: SequelizePool | { readonly write: SequelizePool; readonly read: SequelizePool }
  /** While the server is asked for its version, before the first query. */
  readonly versionPromise: Promise<unknown> | null
  connect(config: ServerConfig): Promise<Connection>
  disconnect(connection: Connection): Promise<void>
  close(): Promise<void>
}

interface Replication {
  readonly write: ServerConfig
  readonly read: readonly ServerConfig[]
}

/** A pool of Sequelize, and the servers that its connections go to. */
export interface PoolOfServers {
  readonly pool: SequelizePool
  readonly configs: readonly ServerConfig[]
}

const methods = ['connect', 'disconnect', 'close'] as const

/**
 * The connection manager of a Sequelize, once it is known to have what is needed.
 *
 * @throws InvalidOptionError when it is not one of Sequelize 6 that works the way this package needs.
 */
export function managerOf({ connectionManager }: Sequelize): ConnectionManager {
  const manager = connectionManager as unknown as Partial<ConnectionManager>
  const hasMethods = methods.every((name) => typeof manager[name] === 'function')
  const hasQuery = typeof manager.dialect?.Query?.prototype.formatError === 'function'
  if (!hasMethods || !hasQuery || typeof manager.lib !== 'object' || !manager.config)
    throw unsupported('its connection manager lacks connect, disconnect, close, dialect.Query, lib or config')
  if (!poolsIn(manager.pool).every(isSequelizePool)) throw unsupported('it has no pool of sequelize-pool 7')
  return manager as ConnectionManager
}

/** One pool, or with replication one for the writer and one for all replicas. */
export function poolsOf({ pool, config }: ConnectionManager): PoolOfServers[] {
  if (!('write' in pool)) return [{ pool, configs: [config] }]
  const { write, read } = config.replication as Replication
  return [
    { pool: pool.write, configs: [write] },
    { pool: pool.read, configs: read },
  ]
}

function poolsIn(pool: Partial<ConnectionManager>['pool']): unknown[] {
  return pool && 'write' in pool ? [pool.write, pool.read] : [pool]
}

function unsupported(reason: string): InvalidOptionError {
  return new InvalidOptionError(
    `This version of Sequelize is not supported: ${reason}. Use Sequelize 6, or upgrade @vault-lease/sequelize.`,
  )
}

import type { Configuration, IDatabaseDriver } from '@mikro-orm/core'
import { type AdapterOptions, InvalidOptionError, VaultLeaseError } from '@vault-lease/core'
import { dialects, leasedConnection } from '@vault-lease/knex/adapter'
import { mariadbDialect } from './mariadb/dialect.ts'
import type { DriverClass } from './options.ts'

const allDialects = { ...dialects, mariadb: mariadbDialect }

/** What MikroORM makes a knex of. */
interface KnexOptions {
  readonly connection?: unknown
}

/** A connection of MikroORM to one server, of which it declares this method as protected. */
interface KnexConnection {
  getKnexOptions(client: unknown): KnexOptions
}

/** What a driver has beyond its published types. */
interface Connected {
  readonly connection: KnexConnection
  readonly replicas: readonly KnexConnection[]
  convertException(error: Error): unknown
}

/** The driver, whose every knex has a user from Vault. */
export function leasedDriver<Driver extends IDatabaseDriver>(
  Driver: DriverClass<Driver>,
  lease: AdapterOptions,
): DriverClass<Driver> {
  const Base = Driver as unknown as new (config: Configuration) => Connected
  class LeasedDriver extends Base {
    constructor(config: Configuration) {
      super(config)
      for (const connection of [this.connection, ...this.replicas]) leaseConnection(connection, lease)
    }

    /** MikroORM would make an error of its own of it, which is of no class of ours. */
    override convertException(error: Error): unknown {
      return error instanceof VaultLeaseError ? error : super.convertException(error)
    }
  }
  // By the name Nest's module finds the package whose MikroORM and EntityManager it is to provide.
  Object.defineProperty(LeasedDriver, 'name', { value: Driver.name })
  return LeasedDriver as unknown as DriverClass<Driver>
}

function leaseConnection(connection: KnexConnection, lease: AdapterOptions): void {
  const { getKnexOptions }: Partial<KnexConnection> = connection
  if (typeof getKnexOptions !== 'function')
    throw new InvalidOptionError(
      'This driver of MikroORM is not supported: its connection has no getKnexOptions. Use MikroORM 6 on PostgreSQL, MySQL or MariaDB.',
    )
  connection.getKnexOptions = (client) => {
    const config = getKnexOptions.call(connection, client)
    const { user: _user, password: _password, ...settings } = settingsIn(config)
    return { ...config, connection: leasedConnection({ ...settings, ...lease }, allDialects) }
  }
}

function settingsIn({ connection }: KnexOptions): Record<string, unknown> {
  if (typeof connection === 'object' && connection !== null) return { ...connection }
  throw new InvalidOptionError('Leave "connection" out of "driverOptions": the library makes it.')
}

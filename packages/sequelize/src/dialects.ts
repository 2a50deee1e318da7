import { InvalidOptionError, type LeaseManager } from '@vault-lease/core'
import type { LeasedDriver, PoolHooks } from '@vault-lease/core/adapter'
import {
  checkConnectionOptions as checkMariaDbOptions,
  type MariaDbDriver,
  leasedDriver as mariadbDriver,
} from '@vault-lease/mariadb/adapter'
import {
  checkConnectionOptions as checkMySqlOptions,
  type MySqlDriver,
  leasedDriver as mysql2Driver,
} from '@vault-lease/mysql2/adapter'
import {
  type ClientClass,
  checkConnectionOptions as checkPgOptions,
  leasedDriver as pgDriver,
  type SetRoleOptions,
} from '@vault-lease/pg/adapter'
import type { ServerConfig } from './connection-manager.ts'
import type { Connection } from './sequelize-pool.ts'

/** What the driver below a Sequelize adds to the rotation. */
export interface SequelizeDialect {
  /** @throws InvalidOptionError for a server that this driver cannot do anything with. */
  check(config: ServerConfig): void
  open(
    driver: object,
    config: ServerConfig & SetRoleOptions,
    lease: LeaseManager,
    pool: PoolHooks,
  ): LeasedDriver<Connection>
}

const postgres: SequelizeDialect = {
  check: (config) => checkPgOptions(pgSettings(config)),
  open: (driver, config, lease, pool) =>
    untyped(pgDriver(driver as { readonly Client: ClientClass }, pgSettings(config), lease, pool)),
}

const mysql: SequelizeDialect = {
  check: (config) => checkMySqlOptions(mysqlSettings(config)),
  open: (driver, config, lease, pool) =>
    untyped(mysql2Driver(driver as MySqlDriver, mysqlSettings(config), lease, pool)),
}

const mariadb: SequelizeDialect = {
  check: (config) => checkMariaDbOptions(mysqlSettings(config)),
  open: (driver, config, lease, pool) =>
    untyped(mariadbDriver(driver as MariaDbDriver, mysqlSettings(config), lease, pool)),
}

/** Those that can be rotated. */
export type DialectName = 'postgres' | 'mysql' | 'mariadb'

const dialects: Readonly<Record<DialectName, SequelizeDialect>> = { postgres, mysql, mariadb }

/** @throws InvalidOptionError when it is not one that can be rotated. */
export function dialectNamed(name: string | undefined): SequelizeDialect {
  if (name !== undefined && Object.hasOwn(dialects, name)) return dialects[name as DialectName]
  throw new InvalidOptionError(
    `"dialect" has to be one of "${Object.keys(dialects).join('", "')}", and not "${name}".`,
  )
}

/** As Sequelize gives them to node-postgres. */
function pgSettings({ host, port, database, dialectOptions, ...others }: ServerConfig & SetRoleOptions): {
  readonly host?: string | undefined
} {
  const { setRole } = others
  return { ...dialectOptions, host, port, database, setRole } as object
}

/** As Sequelize gives them to mysql2 and mariadb. */
function mysqlSettings({ host, port, database, dialectOptions }: ServerConfig): object {
  return { host, port, database, ...dialectOptions }
}

/** Sequelize types no connection. */
function untyped<Each extends object>(driver: LeasedDriver<Each>): LeasedDriver<Connection> {
  return driver as unknown as LeasedDriver<Connection>
}

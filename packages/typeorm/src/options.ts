import { type AdapterOptions, InvalidOptionError } from '@vault-lease/core'
import { checkPlace, checkPoolSize, namesLogin, type Place } from '@vault-lease/core/adapter'
import { checkMongoOptions } from '@vault-lease/mongodb/adapter'
import { checkConnectionOptions, checkSetRole, type SetRoleOptions } from '@vault-lease/pg/adapter'
import type { DataSourceOptions } from 'typeorm'
import { selectors } from './mysql-cluster.ts'

/** TypeORM's own options for PostgreSQL. */
export type PostgresOptions = Extract<DataSourceOptions, { readonly type: 'postgres' }>

/** TypeORM's own options for MySQL and MariaDB. */
export type MySqlOptions = Extract<DataSourceOptions, { readonly type: 'mysql' | 'mariadb' }>

/** TypeORM's own options for MongoDB. */
export type MongoOptions = Extract<DataSourceOptions, { readonly type: 'mongodb' }>

type FromVault = 'username' | 'password'
type Replicated = Pick<PostgresOptions | MySqlOptions, 'replication'>

/** Options of TypeORM without the user and the password. */
type WithoutUser<Options extends Replicated> = Omit<Options, FromVault | 'replication'> & {
  /** The servers of a replicated database, which all know the same users. */
  readonly replication?: ReplicationWithoutUser<NonNullable<Options['replication']>>
}

type ReplicationWithoutUser<Replication extends NonNullable<Replicated['replication']>> = Omit<
  Replication,
  'master' | 'slaves'
> & {
  readonly master: Omit<Replication['master'], FromVault>
  readonly slaves: Omit<Replication['slaves'][number], FromVault>[]
}

/** Where the lease comes from, and every option of a PostgreSQL DataSource but the user and the password. */
export type VaultPostgresOptions = AdapterOptions & SetRoleOptions & WithoutUser<PostgresOptions>

/** Where the lease comes from, and every option of a MySQL or MariaDB DataSource but the user and the password. */
export type VaultMySqlOptions = AdapterOptions & WithoutUser<MySqlOptions>

/** Where the lease comes from, and every option of a MongoDB DataSource but the user and the password. */
export type VaultMongoOptions = AdapterOptions & Omit<MongoOptions, FromVault>

/** The options of `vaultDataSource()`, by their `type`. */
export type VaultDataSourceOptions = VaultPostgresOptions | VaultMySqlOptions | VaultMongoOptions

interface Endpoint extends Place {
  readonly url?: string
  readonly database?: string
}

/** What a database needs to know beside the user. */
const checks: Readonly<Record<VaultDataSourceOptions['type'], (endpoint: Endpoint) => void>> = {
  postgres: ({ url, host, port, database }) =>
    checkConnectionOptions({ host, port, database, connectionString: url }),
  mysql: checkPlace,
  mariadb: checkPlace,
  mongodb: ({ url = '', ...options }) => checkMongoOptions(url, options),
}

/**
 * Checks what `takeLease()` cannot know.
 *
 * @throws InvalidOptionError when the type of database is not supported, the size of the pool is none, or an endpoint is no place, or names a user or no database, or there is no such selector.
 */
export function checkDataSourceOptions(options: VaultDataSourceOptions): void {
  const { type, ...endpoint } = options
  const replication = 'replication' in options ? options.replication : undefined
  if (!Object.hasOwn(checks, type)) {
    throw new InvalidOptionError(
      `"type" has to be one of "${Object.keys(checks).join('", "')}", and not "${type}".`,
    )
  }
  if ('setRole' in options) {
    if (type !== 'postgres')
      throw new InvalidOptionError(`The option "setRole" is for "postgres", not "${type}".`)
    checkSetRole(options)
  }
  checkPoolSize('poolSize', options.poolSize, 0)
  if (replication && 'selector' in replication) checkSelector(replication.selector)
  for (const each of replication ? [replication.master, ...replication.slaves] : [endpoint]) {
    checkNoUser(each)
    checks[type](each)
  }
}

function checkSelector(selector: (typeof selectors)[number] | undefined): void {
  if (selector === undefined || selectors.includes(selector)) return
  throw new InvalidOptionError(
    `The option "selector" of "replication" has to be one of "${selectors.join('", "')}".`,
  )
}

function checkNoUser(endpoint: Endpoint): void {
  const { url } = endpoint
  if (
    'username' in endpoint ||
    'password' in endpoint ||
    (url !== undefined && URL.canParse(url) && namesLogin(new URL(url)))
  ) {
    throw new InvalidOptionError(
      'Leave the user and the password out of "url" and "replication": they come from Vault.',
    )
  }
}

import type { AdapterOptions } from '@vault-lease/core'
import { takeLease } from '@vault-lease/core/adapter'
import type { Driver } from 'typeorm'
import { mongoClient } from './mongodb.ts'
import { mysqlPools } from './mysql.ts'
import {
  checkDataSourceOptions,
  type MongoOptions,
  type MySqlOptions,
  type PostgresOptions,
  type VaultDataSourceOptions,
  type VaultMongoOptions,
  type VaultMySqlOptions,
  type VaultPostgresOptions,
} from './options.ts'
import { postgresPools } from './postgres.ts'
import { DataSourceRotation, type OpenPoolsOn } from './rotation.ts'
import { type CacheOptions, tellingCache } from './telling-cache.ts'

/** No option of TypeORM is so near to one of ours that it could be meant. */
const typeormOptionNames: readonly string[] = []

/**
 * The options of a DataSource whose database user comes from Vault and is replaced without a failed query.
 * `dataSource.destroy()` lets running work finish, drains the pools, revokes the lease, and gives back the token if the
 * library logged in for it.
 *
 * @example
 * const dataSource = new DataSource(vaultDataSource({ type: 'postgres', role: 'readonly', host, database, entities }))
 *
 * @throws InvalidOptionError for a misspelt option, a missing role or database, or a user or password beside them.
 */
export function vaultDataSource(options: VaultPostgresOptions): PostgresOptions
export function vaultDataSource(options: VaultMySqlOptions): MySqlOptions
export function vaultDataSource(options: VaultMongoOptions): MongoOptions
export function vaultDataSource(
  options: VaultDataSourceOptions,
): PostgresOptions | MySqlOptions | MongoOptions
export function vaultDataSource(
  options: VaultDataSourceOptions,
): PostgresOptions | MySqlOptions | MongoOptions {
  if (options.type === 'postgres') return leased(options, postgresPools)
  return options.type === 'mongodb' ? leased(options, mongoClient) : leased(options, mysqlPools)
}

function leased<Options extends VaultDataSourceOptions>(
  options: Options,
  poolsOf: (driver: Driver) => OpenPoolsOn,
): Omit<Options, keyof AdapterOptions> & { readonly cache: CacheOptions } {
  const { open, driver } = takeLease(options, typeormOptionNames)
  checkDataSourceOptions(options)
  const cache = tellingCache(options.cache, (dataSource) => {
    new DataSourceRotation(dataSource, open, poolsOf(dataSource.driver))
  })
  return { ...driver, cache }
}

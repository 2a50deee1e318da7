import { takeLease } from '@vault-lease/core'
import { checkDataSourceOptions, type PostgresOptions, type VaultDataSourceOptions } from './options.ts'
import { postgresPools } from './postgres.ts'
import { DataSourceRotation } from './rotation.ts'
import { tellingCache } from './telling-cache.ts'

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
export function vaultDataSource(options: VaultDataSourceOptions): PostgresOptions {
  const { open, driver } = takeLease(options, typeormOptionNames)
  checkDataSourceOptions(options)
  const cache = tellingCache(driver.cache, (dataSource) => {
    new DataSourceRotation(dataSource, open, postgresPools(dataSource.driver))
  })
  return { ...driver, cache }
}

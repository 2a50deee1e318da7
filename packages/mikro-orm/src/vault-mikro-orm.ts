import type { IDatabaseDriver, Options } from '@mikro-orm/core'
import type { AdapterOptions } from '@vault-lease/core'
import { takeLease } from '@vault-lease/core/adapter'
import { leasedDriver } from './leased-driver.ts'
import { checkOptions, type VaultMikroOrmOptions } from './options.ts'

/** No option of MikroORM is so near to one of ours that it could be meant. */
const mikroOrmOptionNames: readonly string[] = []

/**
 * The options of a MikroORM whose database user comes from Vault and is replaced without a failed query. `orm.close()` serves who
 * waits, drains the pool, revokes the lease, and gives back the token if the library logged in for it.
 *
 * @example
 * const orm = await MikroORM.init(vaultMikroOrm({ driver: PostgreSqlDriver, role: 'app', host, dbName, entities }))
 *
 * @throws InvalidOptionError for a misspelt option, a missing role or driver, or a user or password beside them.
 */
export function vaultMikroOrm<Driver extends IDatabaseDriver>(
  options: VaultMikroOrmOptions<Driver>,
): Options<Driver> {
  const { driver: others } = takeLease<VaultMikroOrmOptions<Driver>>(options, mikroOrmOptionNames)
  checkOptions(others)
  const { driver, setRole: _setRole, ...mikroOrmOptions } = others
  const ofLease = Object.entries(options).filter(([name]) => !(name in mikroOrmOptions) && name !== 'driver')
  const lease: AdapterOptions = Object.fromEntries(ofLease)
  return { ...mikroOrmOptions, driver: leasedDriver(driver, lease) } as Options<Driver>
}

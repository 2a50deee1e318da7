import { checkConnectionOptions, leasedDriver, type MySqlDriver } from '@vault-lease/mysql2/adapter'
import type { KnexConnections, KnexDialect } from './dialect.ts'

export const mysql2Dialect: KnexDialect = {
  check: checkConnectionOptions,
  open(driver, settings, lease, pool) {
    // knex types none of its connections.
    return leasedDriver(driver as MySqlDriver, settings, lease, pool) as unknown as KnexConnections
  },
}

import {
  type ClientClass,
  cancelStatement,
  checkConnectionOptions,
  checkSetRole,
  leasedDriver,
  type PgClient,
} from '@vault-lease/pg/adapter'
import type { KnexConnections, KnexDialect } from './dialect.ts'

export const pgDialect: KnexDialect = {
  check(settings) {
    checkConnectionOptions(settings)
    checkSetRole(settings)
  },
  open(driver, settings, lease, pool) {
    const leased = leasedDriver(driver as { readonly Client: ClientClass }, settings, lease, pool)
    return {
      ...leased,
      cancelStatement: async (client: PgClient) => cancelStatement(client),
      // knex types none of its connections.
    } as unknown as KnexConnections
  },
}

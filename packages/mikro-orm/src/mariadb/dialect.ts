import type { KnexConnection, KnexDialect } from '@vault-lease/knex/adapter'
import { checkConnectionOptions, leasedDriver } from '@vault-lease/mariadb/adapter'
import { CallbackConnection } from './callback-connection.ts'
import { loadDriver } from './driver.ts'

/** The driver mariadb below a knex, which MikroORM alone knows. */
export const mariadbDialect: KnexDialect = {
  check: checkConnectionOptions,
  open(_callbacks, settings, lease, pool) {
    const leased = leasedDriver(loadDriver(), settings, lease, pool)
    const below = (connection: KnexConnection) => (connection as CallbackConnection).opened
    return {
      all: leased.all,
      driver: {
        createConnection: (own: object) => new CallbackConnection(leased.driver.createConnection(own)),
      },
      isStale: (connection) => leased.isStale(below(connection)),
      fateOf: (connection) => leased.fateOf(below(connection)),
      closeWhenIdle: (connection) => leased.closeWhenIdle(below(connection)),
      cancelStatement: (connection) => leased.cancelStatement(below(connection)),
    }
  },
}

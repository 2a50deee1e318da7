import type { LeaseManager } from '@vault-lease/core'
import type { LeasedDriver, PoolHooks } from '@vault-lease/core/adapter'
import type { Connection, ConnectionOptions } from 'mysql2'
import { MySqlConnections } from './connections.ts'
import type { MySqlDriver } from './driver.ts'

/** What a pool that makes its connections by `driver.createConnection()` needs, and the way to cancel a statement. */
interface LeasedMySqlDriver extends LeasedDriver<Connection> {
  /** Ends the statement that the connection runs, from a connection of its own. */
  cancelStatement(connection: Connection): Promise<void>
}

/**
 * mysql2 for a pool that makes its connections by `driver.createConnection()`.
 *
 * @throws InvalidOptionError when the driver is not a mysql2 3 that works the way this package needs.
 */
export function leasedDriver(
  driver: MySqlDriver,
  options: ConnectionOptions,
  lease: LeaseManager,
  pool: PoolHooks,
): LeasedMySqlDriver {
  const connections = new MySqlConnections(lease, pool, { driver, options })
  const createConnection = (own: ConnectionOptions): Connection => connections.createConnection(own)
  return {
    all: connections,
    driver: Object.create(driver, { createConnection: { value: createConnection } }),
    isStale: (connection) => connections.isConnectionStale(connection),
    fateOf: (connection) => connections.fateOfConnection(connection),
    closeWhenIdle: (connection) => connections.closeWhenIdle(connection),
    cancelStatement: (connection) => connections.cancelStatement(connection),
  }
}

import type { LeaseManager } from '@vault-lease/core'
import type { LeasedDriver, PoolHooks } from '@vault-lease/core/adapter'
import type { Connection, ConnectionConfig } from 'mariadb'
import { closeWhenIdle, MariaDbConnections, type MariaDbDriver } from './connections.ts'
import type { Session } from './session.ts'

/** What a pool that makes its connections by `driver.createConnection()` needs, and the way to cancel a statement. */
interface LeasedMariaDbDriver extends LeasedDriver<Connection> {
  readonly driver: MariaDbDriver
  /** Ends the statement that the connection runs, from a connection of its own. */
  cancelStatement(connection: Connection): Promise<void>
}

/** mariadb for a pool that makes its connections by `driver.createConnection()`. */
export function leasedDriver(
  driver: MariaDbDriver,
  config: ConnectionConfig,
  lease: LeaseManager,
  pool: PoolHooks,
): LeasedMariaDbDriver {
  const connections = new MariaDbConnections(lease, pool, driver, config)
  const sessions = new WeakMap<Connection, Session>()
  const createConnection = async (own: ConnectionConfig): Promise<Connection> => {
    const session = await connections.open(own)
    sessions.set(session.connection, session)
    return session.connection
  }
  return {
    all: connections,
    driver: Object.create(driver, { createConnection: { value: createConnection } }),
    isStale(connection) {
      const session = sessions.get(connection)
      return session === undefined || connections.isStale(session.socket)
    },
    fateOf(connection) {
      const session = sessions.get(connection)
      return session ? connections.fateOf(session.socket) : 'close'
    },
    async closeWhenIdle(connection) {
      const session = sessions.get(connection)
      if (session) await closeWhenIdle(session)
    },
    async cancelStatement(connection) {
      const session = sessions.get(connection)
      if (session) await connections.cancelStatement(session)
    },
  }
}

import { checkConnectionOptions, MySqlConnections, type MySqlDriver } from '@vault-lease/mysql2/adapter'
import type { Connection, ConnectionOptions } from 'mysql2'
import type { KnexDialect } from './dialect.ts'
import type { KnexConnection } from './knex-client.ts'

export const mysql2Dialect: KnexDialect = {
  check: checkConnectionOptions,
  open(ownDriver, settings, lease, pool) {
    const driver = ownDriver as MySqlDriver
    const connections = new MySqlConnections(lease, pool, { driver, options: settings })
    const createConnection = (options: ConnectionOptions): Connection => connections.createConnection(options)
    return {
      all: connections,
      driver: Object.create(driver, { createConnection: { value: createConnection } }),
      isStale: (connection) => connections.isConnectionStale(connectionOf(connection)),
      fateOf: (connection) => connections.fateOfConnection(connectionOf(connection)),
      closeWhenIdle: (connection) => connections.closeWhenIdle(connectionOf(connection)),
      cancelStatement: (connection) => connections.cancelStatement(connectionOf(connection)),
    }
  },
}

function connectionOf(connection: KnexConnection): Connection {
  return connection as unknown as Connection
}

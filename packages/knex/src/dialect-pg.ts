import {
  type ClientClass,
  cancelStatement,
  checkConnectionOptions,
  checkSetRole,
  closeWhenIdle,
  leasedClient,
  type PgClient,
  PgConnections,
  placeOf,
} from '@vault-lease/pg/adapter'
import type { Client } from 'pg'
import type { KnexDialect } from './dialect.ts'
import type { KnexConnection } from './knex-client.ts'

export const pgDialect: KnexDialect = {
  check(settings) {
    checkConnectionOptions(settings)
    checkSetRole(settings)
  },
  open(driver, settings, lease, pool) {
    const { Client: Base } = driver as { readonly Client: ClientClass }
    const newClient = (): Client => new Base(settings)
    const connections = new PgConnections(lease, pool, { ...settings, place: placeOf(settings), newClient })
    return {
      all: connections,
      driver: Object.create(driver, { Client: { value: leasedClient(Base, connections) } }),
      isStale: (connection) => connections.isStale(clientOf(connection)),
      fateOf: (connection) => connections.fateOf(clientOf(connection)),
      closeWhenIdle: (connection) => closeWhenIdle(clientOf(connection)),
      cancelStatement: async (connection) => cancelStatement(clientOf(connection)),
    }
  },
}

/** Its class was looked at when it was opened. */
function clientOf(connection: KnexConnection): PgClient {
  return connection as unknown as PgClient
}

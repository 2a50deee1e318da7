import type { LeaseManager } from '@vault-lease/core'
import type { DatabaseServerOptions } from '@vault-lease/testing'
import knex, { type Knex } from 'knex'
import { type LeasedServers, type Place, startLeasedServers } from '../../../test/leased-servers.ts'
import { vaultConnection } from '../src/vault-connection.ts'

type Way = Partial<Pick<Place, 'host' | 'port'>> & Pick<Knex.MySql2ConnectionConfig, 'ssl'>

/** A real Vault and a real database with a table, and knexes on them. */
export interface Servers extends LeasedServers {
  /** A knex on a lease that a test can look at, by a way of its own to the database if need be. */
  knex(config?: Knex.Config, way?: Way): Promise<{ db: Knex; lease: LeaseManager }>
}

const databases = {
  pg: { kind: 'postgresql', itemsTable: 'create table items (id serial primary key, name text)' },
  mysql2: {
    kind: 'mysql',
    itemsTable: 'create table items (id int primary key auto_increment, name varchar(40))',
  },
} as const

export async function startServers(
  client: keyof typeof databases = 'pg',
  database: DatabaseServerOptions = {},
): Promise<Servers> {
  const { kind, itemsTable } = databases[client]
  const servers = await startLeasedServers({ kind, database, schema: [itemsTable] })
  return {
    ...servers,
    async knex(config = {}, way = {}) {
      const lease = await servers.lease()
      const connection = vaultConnection({ lease, ...servers.place, ...way })
      const quiet = { log: { warn() {}, error() {} } }
      const db = knex({ client, connection, pool: { min: 0, max: 3 }, ...quiet, ...config })
      servers.closing(db, () => db.destroy())
      return { db, lease }
    },
  }
}

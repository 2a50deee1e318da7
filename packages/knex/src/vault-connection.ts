import { type AdapterOptions, InvalidOptionError } from '@vault-lease/core'
import { leadToLease, takeLease } from '@vault-lease/core/adapter'
import { mysqlOptionNames } from '@vault-lease/mysql2/adapter'
import { pgOptionNames, type SetRoleOptions } from '@vault-lease/pg/adapter'
import type { Knex } from 'knex'
import type { KnexDialect } from './dialect.ts'
import { mysql2Dialect } from './dialect-mysql2.ts'
import { pgDialect } from './dialect-pg.ts'
import { isKnexClient, type KnexClient } from './knex-client.ts'
import { KnexRotation } from './rotation.ts'

/** Where the lease comes from, and every connection option of knex for PostgreSQL but the user and the password. */
export type VaultPgConnectionOptions = AdapterOptions &
  SetRoleOptions &
  Omit<Knex.PgConnectionConfig, 'user' | 'password' | 'expirationChecker'>

/** Where the lease comes from, and every connection option of knex for MySQL but the user and the password. */
export type VaultMySql2ConnectionOptions = AdapterOptions &
  Omit<Knex.MySql2ConnectionConfig, 'user' | 'password' | 'expirationChecker'>

/** The options for the client that the knex has, `pg` or `mysql2`. */
export type VaultConnectionOptions = VaultPgConnectionOptions | VaultMySql2ConnectionOptions

/** What knex takes as `connection`. */
export type VaultConnection = () => Promise<Knex.PgConnectionConfig | Knex.MySql2ConnectionConfig>

const dialects: Readonly<Record<string, KnexDialect>> = { pg: pgDialect, mysql2: mysql2Dialect }

/**
 * The `connection` of a knex, with client `pg` or `mysql2`, whose database user comes from Vault and is replaced without a
 * failed query. `db.destroy()` drains the pool, revokes the lease, and gives back the token if the library logged in for it.
 *
 * @example
 * const db = knex({ client: 'pg', connection: vaultConnection({ role: 'readonly', host, database }) })
 *
 * @throws InvalidOptionError for a misspelt option, a missing role, or a user or password beside them. What can be known
 * only with the client, such as a missing database of PostgreSQL, rejects the first query.
 */
export function vaultConnection(options: VaultConnectionOptions = {}): VaultConnection {
  const taken = takeLease<VaultConnectionOptions>(options, [...pgOptionNames, ...mysqlOptionNames])
  if ('expirationChecker' in options) {
    throw new InvalidOptionError('Leave out "expirationChecker": the lease knows when its user is over.')
  }
  const rotations = new WeakMap<KnexClient, KnexRotation>()
  // knex calls this as a method of its client, before it opens the first connection.
  async function connection(this: unknown): ReturnType<VaultConnection> {
    const dialect = isKnexClient(this) ? dialects[this.driverName] : undefined
    if (!isKnexClient(this) || !dialect) throw unsupportedClient(this)
    dialect.check(taken.driver)
    const rotation = rotations.get(this) ?? new KnexRotation(this, dialect, taken)
    rotations.set(this, rotation)
    return rotation.connectionSettings
  }
  leadToLease(connection, (client) => rotations.get(client as KnexClient)?.lease)
  return connection
}

function unsupportedClient(client: unknown): InvalidOptionError {
  const driver =
    typeof client === 'object' && client !== null && 'driverName' in client ? client.driverName : undefined
  const found =
    driver === undefined ? 'It was not called as a method of a knex client' : `This knex uses "${driver}"`
  return new InvalidOptionError(
    'vaultConnection() works as the "connection" of a knex 3 with client "pg" or "mysql2". ' +
      `${found}, or its version is not supported.`,
  )
}

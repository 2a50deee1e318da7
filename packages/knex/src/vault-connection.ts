import type { AdapterOptions } from '@vault-lease/core'
import type { SetRoleOptions } from '@vault-lease/pg/adapter'
import type { Knex } from 'knex'
import { dialects } from './dialects.ts'
import { leasedConnection } from './leased-connection.ts'

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
  return leasedConnection(options, dialects) as VaultConnection
}

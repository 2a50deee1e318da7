import { type AdapterOptions, InvalidOptionError, takeLease } from '@vault-lease/core'
import { checkConnectionOptions, pgOptionNames } from '@vault-lease/pg/adapter'
import type { Knex } from 'knex'
import { isKnexPgClient, type KnexPgClient } from './knex-client.ts'
import { KnexRotation } from './rotation.ts'

/** Where the lease comes from, and every connection option of knex for PostgreSQL but the user and the password. */
export interface VaultConnectionOptions
  extends AdapterOptions,
    Omit<Knex.PgConnectionConfig, 'user' | 'password' | 'expirationChecker'> {}

/** What knex takes as `connection`. */
export type VaultConnection = () => Promise<Knex.PgConnectionConfig>

/**
 * The `connection` of a knex whose database user comes from Vault and is replaced without a failed query.
 * `db.destroy()` drains the pool, revokes the lease, and gives back the token if the library logged in for it.
 *
 * @example
 * const db = knex({ client: 'pg', connection: vaultConnection({ role: 'readonly', host, database }) })
 *
 * @throws InvalidOptionError for a misspelt option, a missing role or database, or a user or password beside them.
 */
export function vaultConnection(options: VaultConnectionOptions = {}): VaultConnection {
  checkConnectionOptions(options)
  const taken = takeLease(options, pgOptionNames)
  const rotations = new WeakMap<KnexPgClient, KnexRotation>()
  // knex calls this as a method of its client, before it opens the first connection.
  return async function connection(this: unknown): Promise<Knex.PgConnectionConfig> {
    if (!isKnexPgClient(this)) throw unsupportedClient(this)
    const rotation = rotations.get(this) ?? new KnexRotation(this, taken)
    rotations.set(this, rotation)
    return rotation.connectionSettings
  }
}

function unsupportedClient(client: unknown): InvalidOptionError {
  const driver =
    typeof client === 'object' && client !== null && 'driverName' in client ? client.driverName : undefined
  const found =
    driver === undefined ? 'It was not called as a method of a knex client' : `This knex uses "${driver}"`
  return new InvalidOptionError(
    `vaultConnection() works as the "connection" of a knex 3 with client "pg". ${found}, or its version is not supported.`,
  )
}

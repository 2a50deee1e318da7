import type { SqlDriverAdapterFactory } from '@prisma/driver-adapter-utils'
import { InvalidOptionError } from '@vault-lease/core'
import { type MySqlAdapterOptions, mysqlAdapter } from './mysql.ts'
import { type PostgresAdapterOptions, postgresAdapter } from './postgres.ts'

/** Which database it is; where the lease comes from; and the options of the driver and of Prisma's adapter for it. */
export type VaultAdapterOptions = PostgresAdapterOptions | MySqlAdapterOptions

/**
 * The `adapter` of a PrismaClient whose database user comes from Vault and is replaced without a failed query.
 *
 * Each client that connects has a pool of its own. `$disconnect()` drains it, revokes the lease, and gives back the token
 * if the library logged in for it; after that the next query begins anew.
 *
 * @example
 * const prisma = new PrismaClient({
 *   adapter: vaultAdapter({ provider: 'postgresql', role: 'readonly', host, database }),
 * })
 *
 * @throws InvalidOptionError for an unknown provider, a misspelt option, a missing role or database, a user or password
 * beside them, or when Prisma's adapter for the provider is not installed.
 */
export function vaultAdapter(options: VaultAdapterOptions): SqlDriverAdapterFactory {
  switch (options.provider) {
    case 'postgresql':
      return postgresAdapter(options)
    case 'mysql':
      return mysqlAdapter(options)
    default:
      throw new InvalidOptionError('Which database? Set the option "provider" to "postgresql" or "mysql".')
  }
}

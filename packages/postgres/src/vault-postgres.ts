import type { AdapterOptions, LeaseManager } from '@vault-lease/core'
import { takeLease } from '@vault-lease/core/adapter'
import type { PostgresType, Sql } from 'postgres'
import { leasedClient } from './client.ts'
import type { DriverOptions, Types } from './driver.ts'
import { checkDriverOptions, driverOptionNames } from './options.ts'

/** The options of `vaultPostgres()`: where the lease comes from, and every option of `postgres()` but the user and the password. */
export type VaultPostgresOptions<T extends Types = Record<never, never>> = AdapterOptions &
  Omit<DriverOptions<T>, 'user' | 'username' | 'pass' | 'password'>

/** The types of the values that custom types take and give, as `postgres()` has them. */
type ValuesOf<T extends Types> =
  Record<string, PostgresType> extends T
    ? Record<never, never>
    : { [type in keyof T]: T[type] extends PostgresType<infer Value> ? Value : never }

/** What `vaultPostgres()` gives: what `postgres()` gives, and the lease under it. */
export type VaultSql<TTypes extends Record<string, unknown> = Record<never, never>> = Sql<TTypes> & {
  /** The lease under the pool: its status, events and `rotate()`. */
  readonly lease: LeaseManager
}

/**
 * `postgres()` with a database user that Vault creates and replaces. Everything else is that of postgres.js; the handle stays the
 * same for ever.
 *
 * `end()` has what is queued served and what runs finish, within 15 s or its `timeout`, revokes the lease, and gives back the
 * token if the library logged in for it.
 *
 * @example
 * const sql = vaultPostgres({ role: 'readonly', host: 'db.internal', database: 'app', max: 20 })
 * const users = await sql`select * from users where id = ${id}`
 * await sql.end()
 *
 * @throws InvalidOptionError for a misspelt option, a missing role or database, or a user or password beside them.
 */
export function vaultPostgres<T extends Types = Record<never, never>>(
  options: VaultPostgresOptions<T>,
): VaultSql<ValuesOf<T>>
export function vaultPostgres<T extends Types = Record<never, never>>(
  url: string,
  options?: VaultPostgresOptions<T>,
): VaultSql<ValuesOf<T>>
export function vaultPostgres<T extends Types>(
  first: string | VaultPostgresOptions<T>,
  second: VaultPostgresOptions<T> = {} as VaultPostgresOptions<T>,
): VaultSql<ValuesOf<T>> {
  const [url, options] = typeof first === 'string' ? [first, second] : [undefined, first]
  const { open, driver } = takeLease(options, driverOptionNames)
  checkDriverOptions(url, driver)
  return leasedClient(url, driver, open) as unknown as VaultSql<ValuesOf<T>>
}

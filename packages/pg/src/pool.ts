import pg from 'pg'
import { type VaultPool as LeasedPool, type VaultPoolClass, vaultPoolClass } from './pool-class.ts'

/** A pool that `VaultPool` makes. */
export type VaultPool = LeasedPool

/**
 * A pg.Pool whose connections belong to a database user that Vault creates and replaces. Everything else is pg.Pool.
 *
 * `end()` lets the queue be served and connections be released, revokes the lease, and gives back the token if the
 * library logged in for it.
 *
 * @example
 * const pool = new VaultPool({ role: 'readonly', host: 'db.internal', database: 'app', max: 20 })
 * await pool.query('select 1')
 * await pool.end()
 *
 * @throws InvalidOptionError for a misspelt option, a missing role or database, or a user or password beside them.
 */
export const VaultPool: VaultPoolClass = vaultPoolClass(pg)

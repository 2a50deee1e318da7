import type { LeaseManager } from '@vault-lease/core'
import type { Pool } from 'mysql2/promise'
import { createPool as createCallbackPool } from './create-pool.ts'
import type { VaultPoolOptions } from './leased-pool.ts'

export * from '@vault-lease/core'
export { createPoolCluster } from './create-pool.ts'
export type { VaultPoolOptions } from './leased-pool.ts'

/** A pool of promises whose connections belong to a database user that Vault creates and replaces. */
export interface VaultPool extends Pool {
  /** The lease under the pool: its status, events and `rotate()`. */
  readonly lease: LeaseManager
}

/**
 * The pool of `mysql2/promise` with a database user that Vault creates and replaces. Everything else is mysql2's.
 * `end()` lets the queue be served and connections be released, revokes the lease, and gives back the token if the
 * library logged in for it.
 *
 * @example
 * const pool = createPool({ role: 'readonly', host: 'db.internal', database: 'app' })
 * const [rows] = await pool.query('select 1')
 * await pool.end()
 *
 * @throws InvalidOptionError for a misspelt option, a missing role, or a user or password beside them.
 */
export function createPool(options: VaultPoolOptions = {}): VaultPool {
  const pool = createCallbackPool(options)
  return Object.assign(pool.promise(options.Promise), { lease: pool.lease })
}

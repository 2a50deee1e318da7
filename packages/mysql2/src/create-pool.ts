import { InvalidOptionError } from '@vault-lease/core'
import mysql from 'mysql2'
import { leasedPool, type VaultPool, type VaultPoolOptions } from './leased-pool.ts'

/**
 * A mysql2 pool whose connections belong to a database user that Vault creates and replaces. Everything else is mysql2's.
 * `pool.promise()` gives the pool of promises over the same connections.
 *
 * @example
 * const pool = createPool({ role: 'readonly', host: 'db.internal', database: 'app' })
 * pool.query('select 1', (error, rows) => {})
 * await pool.end()
 *
 * @throws InvalidOptionError for a misspelt option, a missing role, or a user or password beside them.
 */
export function createPool(options: VaultPoolOptions = {}): VaultPool {
  return leasedPool(mysql, options)
}

/**
 * mysql2's clusters choose among pools that they make themselves, with a user and a password for each.
 *
 * @throws InvalidOptionError always: make one pool with `createPool()` for each server instead.
 */
export function createPoolCluster(): never {
  throw new InvalidOptionError(
    'A pool cluster of mysql2 cannot be rotated. Make one createPool() for each server, all with the same "lease", ' +
      'and choose between them: each goes over to a new user when its own server has accepted it.',
  )
}

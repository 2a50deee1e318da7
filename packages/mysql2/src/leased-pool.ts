import type { AdapterOptions, LeaseManager } from '@vault-lease/core'
import { takeLease } from '@vault-lease/core/adapter'
import type { Pool, PoolOptions } from 'mysql2'
import type { MySqlDriver } from './driver.ts'
import { checkConnectionOptions, mysqlOptionNames } from './options.ts'
import { PoolRotation } from './rotation.ts'

/** The options of a pool: where the lease comes from, and every option of mysql2 but the user and the password. */
export type VaultPoolOptions = AdapterOptions &
  Omit<PoolOptions, 'user' | 'password' | 'password1' | 'passwordSha1'>

/** A pool of mysql2 whose connections belong to a database user that Vault creates and replaces. */
export interface VaultPool extends Omit<Pool, 'end'> {
  /** The lease under the pool: its status, events and `rotate()`. */
  readonly lease: LeaseManager
  /**
   * Lets the queue be served and connections be released, revokes the lease, and gives back the token if the library
   * logged in for it. Ending twice is ending once.
   */
  end(ended?: Parameters<Pool['end']>[0]): Promise<void>
}

/** A pool over the given copy of mysql2, such as the one that an ORM brings. */
export function leasedPool(driver: MySqlDriver, options: VaultPoolOptions): VaultPool {
  checkConnectionOptions(options)
  const { open, driver: poolOptions } = takeLease(options, mysqlOptionNames)
  const from = open()
  const { pool } = new PoolRotation({ driver, options: poolOptions }, from)
  return Object.assign(pool, { lease: from.lease }) as unknown as VaultPool
}

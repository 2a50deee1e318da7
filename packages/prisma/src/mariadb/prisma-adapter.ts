import type { SqlDriverAdapter } from '@prisma/driver-adapter-utils'
import { InvalidOptionError } from '@vault-lease/core'
import type { Pool } from 'mariadb'
import type { LeasedPool } from './leased-pool.ts'

/** The driver, as Prisma's adapter uses it. */
export interface PoolDriver {
  createPool(config: unknown): unknown
}

interface MariaDbAdapter extends SqlDriverAdapter {
  underlyingDriver(): unknown
}

/** The class `PrismaMariaDb`. */
export type PrismaMariaDbClass = new (pool: Pool, options: object) => { connect(): Promise<MariaDbAdapter> }

/**
 * Prisma's adapter over a pool of ours.
 *
 * Since 7.10 it takes a pool. Before, it makes one from its options, first of all when it connects: then it gets ours.
 *
 * @throws InvalidOptionError when it does neither.
 */
export async function prismaAdapterOver(
  pool: LeasedPool,
  PrismaMariaDb: PrismaMariaDbClass,
  driver: PoolDriver,
  options: object,
): Promise<SqlDriverAdapter> {
  // As much of a pool as the adapter uses.
  const factory = new PrismaMariaDb(pool as unknown as Pool, { ...options, disposeExternalPool: true })
  const adapter = await withPool(driver, pool, () => factory.connect())
  if (adapter.underlyingDriver() === pool) return adapter
  throw new InvalidOptionError(
    'This version of @prisma/adapter-mariadb is not supported: it has a pool of its own. Upgrade @vault-lease/prisma.',
  )
}

/** What the function does before it returns gets the pool from the driver. */
function withPool<Result>(driver: PoolDriver, pool: unknown, run: () => Result): Result {
  const { createPool } = driver
  driver.createPool = () => pool
  try {
    return run()
  } finally {
    driver.createPool = createPool
  }
}

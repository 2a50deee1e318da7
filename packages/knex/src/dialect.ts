import type { LeaseManager } from '@vault-lease/core'
import type { LeasedDriver, PoolHooks } from '@vault-lease/core/adapter'
import type { KnexClient, KnexConnection } from './knex-client.ts'

/** The connections of one knex, by generation. */
export interface KnexConnections extends LeasedDriver<KnexConnection> {
  cancelStatement(connection: KnexConnection): Promise<void>
}

/** What the driver below a knex adds to the rotation. */
export interface KnexDialect {
  /** @throws InvalidOptionError for options that this driver cannot do anything with. */
  check(settings: object): void
  open(driver: KnexClient['driver'], settings: object, lease: LeaseManager, pool: PoolHooks): KnexConnections
}

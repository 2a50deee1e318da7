import type { LeaseManager } from '@vault-lease/core'
import type { BorrowedConnections, Fate, PoolAttachment, PoolHooks } from '@vault-lease/core/adapter'
import type { KnexClient, KnexConnection } from './knex-client.ts'

/** The connections of one knex, by generation. */
export interface KnexConnections {
  readonly all: BorrowedConnections & {
    readonly attachment: PoolAttachment
    allClosed(): Promise<void>
  }
  /** knex's driver, but what it opens belongs to the user in force at that moment. */
  readonly driver: object
  isStale(connection: KnexConnection): boolean
  /** What is to become of a connection that is given back. */
  fateOf(connection: KnexConnection): Fate | Promise<Fate>
  /** Resolves when the server has closed it too. */
  closeWhenIdle(connection: KnexConnection): Promise<void>
  cancelStatement(connection: KnexConnection): Promise<void>
}

/** What the driver below a knex adds to the rotation. */
export interface KnexDialect {
  /** @throws InvalidOptionError for options that this driver cannot do anything with. */
  check(settings: object): void
  open(driver: KnexClient['driver'], settings: object, lease: LeaseManager, pool: PoolHooks): KnexConnections
}

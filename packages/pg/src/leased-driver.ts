import type { LeaseManager } from '@vault-lease/core'
import type { LeasedDriver, PoolHooks } from '@vault-lease/core/adapter'
import type { Client, ClientConfig } from 'pg'
import { closeWhenIdle } from './close.ts'
import { PgConnections } from './connections.ts'
import type { ClientClass, PgClient } from './driver.ts'
import { leasedClient } from './leased-client.ts'
import { placeOf } from './options.ts'
import type { SetRoleOptions } from './set-role.ts'

/** node-postgres for a pool that makes its connections by `new driver.Client(…)`. */
export function leasedDriver(
  driver: { readonly Client: ClientClass },
  settings: ClientConfig & SetRoleOptions,
  lease: LeaseManager,
  pool: PoolHooks,
): LeasedDriver<PgClient> {
  const { Client: Base } = driver
  const newClient = (): Client => new Base(settings)
  const connections = new PgConnections(lease, pool, { ...settings, place: placeOf(settings), newClient })
  return {
    all: connections,
    driver: Object.create(driver, { Client: { value: leasedClient(Base, connections) } }),
    isStale: (client) => connections.isStale(client),
    fateOf: (client) => connections.fateOf(client),
    closeWhenIdle,
  }
}

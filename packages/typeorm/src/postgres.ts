import { InvalidOptionError } from '@vault-lease/core'
import { type ClientClass, type SetRoleOptions, vaultPoolClass } from '@vault-lease/pg/adapter'
import type pg from 'pg'
import type { Driver } from 'typeorm'
import { givenOptions } from './given-options.ts'
import { type WorkingClient, workingClient } from './postgres-client.ts'
import type { OpenPoolsOn } from './rotation.ts'
import type { LeasedPool } from './session.ts'

type NodePostgres = Pick<typeof pg, 'Pool' | 'Client'>

/** TypeORM's PostgresDriver, which makes its pools of the class `Pool` in its member `postgres`. */
type PostgresDriver = Driver & { postgres: NodePostgres }

/**
 * Prepares the driver of a DataSource: over its own copy of node-postgres, or the one in the caller's option `driver`.
 *
 * @throws InvalidOptionError when this is not a driver that works the way this package needs.
 */
export function postgresPools(driver: Driver): OpenPoolsOn {
  const postgresDriver = asPostgresDriver(driver)
  const nodePostgres = postgresDriver.postgres
  const VaultPool = vaultPoolClass(nodePostgres)
  const { setRole } = driver.options as SetRoleOptions
  return (session) => {
    class Pool extends VaultPool implements LeasedPool {
      readonly #open: ReadonlySet<WorkingClient>

      constructor(options: pg.PoolConfig) {
        const open = new Set<WorkingClient>()
        const Client = workingClient((options.Client as ClientClass | undefined) ?? nodePostgres.Client, open)
        super({ ...givenOptions(options), Client, lease: session.lease, setRole })
        this.#open = open
        session.add(this)
      }

      get atWork(): boolean {
        return this.waitingCount > 0 || [...this.#open].some((client) => client.atWork)
      }
    }
    postgresDriver.postgres = Object.create(nodePostgres, { Pool: { value: Pool } })
  }
}

function asPostgresDriver(driver: Driver): PostgresDriver {
  if (isPostgresDriver(driver)) return driver
  throw new InvalidOptionError(
    'This version of TypeORM is not supported: its driver has no "postgres" with a Pool and a Client. ' +
      'Upgrade @vault-lease/typeorm, or look at the option "driver".',
  )
}

function isPostgresDriver(driver: Driver): driver is PostgresDriver {
  const { postgres } = driver as Partial<PostgresDriver>
  return typeof postgres?.Pool === 'function' && typeof postgres.Client === 'function'
}

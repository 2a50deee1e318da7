import { InvalidOptionError } from '../errors.ts'
import type { LeaseStatus } from '../lease/status.ts'
import { type HealthReason, reasonOfUnused, reasonsOf } from './reasons.ts'
import { stoppedBy } from './stopping.ts'
import { wayToLease } from './way-to-lease.ts'

/** How a process stands with its credentials. It holds no secret. */
export interface Health {
  /** Whether the process is to go on. False only where a new one would do better: a lease was closed under it. */
  readonly live: boolean
  /** Whether requests can be served: each lease has a credential in force, and nobody has begun to close. */
  readonly ready: boolean
  /** Why it is not ready or not live, and what will make it so if nothing changes. */
  readonly reasons: readonly HealthReason[]
  /** The status of each lease, in the order given, without those of pools that were not used yet. */
  readonly leases: readonly LeaseStatus[]
}

/**
 * How the credentials under pools stand at this moment, for probes. It asks neither Vault nor a database, so it answers while
 * they hang, and costs them nothing. From SIGTERM on, where `closeOnSignal()` waits for it, it is not ready.
 *
 * A credential that has died does not make the process one to restart: its manager goes on trying, and a new process would have
 * to ask the same Vault.
 *
 * @param pools each is what an adapter has made (a `VaultPool`, a client of postgres.js, a pool of mysql2, a `VaultMongoClient`, a knex, a DataSource, a
 * Prisma adapter, Mongoose or a connection of it after `vaultConnect()`), or a lease.
 *
 * @example
 * const { ready, reasons } = healthOf(pool)
 *
 * @throws InvalidOptionError when nothing is given, or something that leads to no lease.
 */
export function healthOf(...pools: readonly object[]): Health {
  return lookAt(pools)()
}

/** @throws InvalidOptionError when there is nothing to look at, or something that leads to no lease. */
export function lookAt(pools: readonly object[]): () => Health {
  if (pools.length === 0) throw new InvalidOptionError('Give the pools, or the leases, to look at.')
  const ways = pools.map(wayToLease)
  return () => health(ways.map((lease) => lease()?.status()))
}

function health(found: readonly (LeaseStatus | undefined)[]): Health {
  const leases = found.filter((status) => status !== undefined)
  const reasons = found.flatMap((status, index) => (status ? reasonsOf(status) : [reasonOfUnused(index)]))
  const signal = stoppedBy()
  if (signal) {
    const message = `${signal} came: the process finishes what it has begun, and ends.`
    reasons.unshift({ source: 'process', level: 'failure', code: 'stopping', message })
  }
  return {
    live: signal !== undefined || leases.every(({ state }) => state !== 'closed'),
    ready: reasons.every(({ level }) => level !== 'failure'),
    reasons,
    leases,
  }
}

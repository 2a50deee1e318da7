import { InvalidOptionError } from '../errors.ts'
import { LeaseManager } from '../lease/manager.ts'
import type { LeaseStatus } from '../lease/status.ts'
import { type HealthReason, reasonsOf } from './reasons.ts'
import { stoppedBy } from './stopping.ts'

/** A lease, or a pool or client that has one as `lease`. */
export type HealthSource = LeaseManager | { readonly lease: LeaseManager }

/** How a process stands with its credentials. It holds no secret. */
export interface Health {
  /** Whether the process is to go on. False only where a new one would do better: a lease was closed under it. */
  readonly live: boolean
  /** Whether requests can be served: each lease has a credential in force, and nobody has begun to close. */
  readonly ready: boolean
  /** Why it is not ready or not live, and what will make it so if nothing changes. */
  readonly reasons: readonly HealthReason[]
  /** The status of each lease, in the order given. */
  readonly leases: readonly LeaseStatus[]
}

/**
 * How the credentials under pools stand at this moment, for probes. It asks neither Vault nor a database, so it answers while
 * they hang, and costs them nothing. From SIGTERM on, where `closeOnSignal()` waits for it, it is not ready.
 *
 * A credential that has died does not make the process one to restart: its manager goes on trying, and a new process would have
 * to ask the same Vault.
 *
 * @example
 * const { ready, reasons } = healthOf(pool)
 *
 * @throws InvalidOptionError when nothing is given, or something that leads to no lease.
 */
export function healthOf(...pools: readonly HealthSource[]): Health {
  const leases = leasesUnder(pools).map((lease) => lease.status())
  const signal = stoppedBy()
  const reasons = leases.flatMap(reasonsOf)
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

/** @throws InvalidOptionError when there is none, or something that leads to none. */
export function leasesUnder(pools: readonly HealthSource[]): readonly LeaseManager[] {
  if (pools.length === 0) throw new InvalidOptionError(`Give ${whatToGive}.`)
  return pools.map(leaseUnder)
}

const whatToGive =
  'what createLease() returns, or a pool or client that has a lease as `lease`. For knex, TypeORM and Prisma make the lease first, give it to them as the option "lease", and give it here'

function leaseUnder(pool: HealthSource): LeaseManager {
  if (pool instanceof LeaseManager) return pool
  const lease = typeof pool === 'object' || typeof pool === 'function' ? pool?.lease : undefined
  if (lease instanceof LeaseManager) return lease
  throw new InvalidOptionError(`There is no lease to look at: give ${whatToGive}.`)
}

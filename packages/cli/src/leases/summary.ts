import type { Lease } from './leases.ts'

/** A lease, and how far it is from now; in milliseconds, by Vault's clock. */
interface Moment {
  readonly id: string
  readonly at: string
  readonly ms: number
}

/** The leases of a role in short. */
export interface Summary {
  readonly leases: number
  /** Beyond their end: Vault tries to drop their users, and fails. */
  readonly overdue: number
  /** The one that was issued first, and how long ago. */
  readonly oldest: Moment | undefined
  /** The one that ends first unless it is renewed, and in how long. */
  readonly nextToEnd: Moment | undefined
}

/** @param now in milliseconds since 1970, by our clock. */
export function summaryOf(leases: readonly Lease[], now: number): Summary {
  const remaining = ({ expiresAt, clockAheadMs }: Lease): number => expiresAt - now - clockAheadMs
  const live = leases.filter((lease) => remaining(lease) > 0)
  const oldest = first(leases, ({ issuedAt }) => issuedAt)
  const next = first(live, ({ expiresAt }) => expiresAt)
  return {
    leases: leases.length,
    overdue: leases.length - live.length,
    oldest: oldest && moment(oldest.id, oldest.issuedAt, now + oldest.clockAheadMs - oldest.issuedAt),
    nextToEnd: next && moment(next.id, next.expiresAt, remaining(next)),
  }
}

function first(leases: readonly Lease[], date: (lease: Lease) => number): Lease | undefined {
  return leases.toSorted((a, b) => date(a) - date(b))[0]
}

function moment(id: string, date: number, ms: number): Moment {
  return { id, at: new Date(date).toISOString(), ms: Math.round(ms) }
}

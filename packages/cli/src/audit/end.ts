import type { Issue } from './event.ts'
import type { EndedOnPurpose, Renewals } from './ledger.ts'

/** Until when somebody had a database user, and how that is known. Dates in milliseconds since 1970. */
export type End =
  | ({ readonly how: 'revoked' } & EndedOnPurpose)
  /** Vault has the lease, and ends it then unless it is renewed. */
  | { readonly how: 'live'; readonly at: number }
  /** By what was granted, or the TTL of the role. A static role: its next password. */
  | { readonly how: 'ttl'; readonly at: number }
  /** Vault has it no longer; nothing tells when it ended. */
  | { readonly how: 'gone'; readonly at: undefined }
  | { readonly how: 'unknown'; readonly at: undefined }

/** How long leases of a role live, as the role says now, in milliseconds. */
export interface Ttls {
  readonly defaultMs: number
  readonly maxMs: number
}

/** What is known of one lease. */
export interface Known {
  readonly issue: Issue
  readonly renewals: Renewals | undefined
  readonly revocation: EndedOnPurpose | undefined
  readonly tokenEndsAt: number | undefined
  readonly ttls: Ttls | undefined
  /** When Vault ends it; `gone` when Vault has it no longer, `undefined` when it was not asked. */
  readonly inVault: number | 'gone' | undefined
}

/** @param now in milliseconds since 1970. */
export function endOf(known: Known, now: number): End {
  const { revocation, inVault } = known
  if (revocation) return { how: 'revoked', ...revocation }
  if (typeof inVault === 'number') return { how: 'live', at: inVault }
  const at = byTtl(known)
  if (at !== undefined && !(inVault === 'gone' && at > now)) return { how: 'ttl', at }
  return { how: inVault === 'gone' ? 'gone' : 'unknown', at: undefined }
}

/** The lease ends with its token. */
function byTtl({ issue, renewals, tokenEndsAt, ttls }: Known): number | undefined {
  if (issue.endsAt !== undefined) return issue.endsAt
  const { lastAt = issue.issuedAt, grantedMs = renewals ? undefined : 0 } = renewals ?? {}
  const grantMs = grantedMs === 0 ? ttls?.defaultMs : grantedMs
  if (grantMs === undefined) return undefined
  return Math.min(
    lastAt + grantMs,
    tokenEndsAt ?? Number.POSITIVE_INFINITY,
    ttls ? issue.issuedAt + ttls.maxMs : Number.POSITIVE_INFINITY,
  )
}

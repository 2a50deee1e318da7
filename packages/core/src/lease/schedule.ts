import type { Lease } from '../source/lease.ts'
import type { TokenFacts } from '../vault/token.ts'

/** Why a rotation was started. */
export type RotationReason =
  | 'start' // there is no credential yet, or none any more
  | 'age' // the lease cannot be renewed and two thirds of its life are over
  | 'max-ttl' // a renewal was granted shorter than asked
  | 'renewal-failed' // the lease could not be renewed and its end is near
  | 'token' // the token that owns the lease dies first
  | 'lease-gone' // Vault knows the lease no longer
  | 'refused' // the database does not accept the credential any more
  | 'changed' // the source has another credential
  | 'wake-up' // the process was suspended, and nobody knows for how long
  | 'manual' // rotate() was called

/** What the manager does next, and when (milliseconds on its clock). */
export type Action =
  | { readonly do: 'renew'; readonly at: number }
  | { readonly do: 'renew-token'; readonly at: number }
  | { readonly do: 'rotate'; readonly at: number; readonly reason: RotationReason }
  | { readonly do: 'look'; readonly at: number }
  | { readonly do: 'expire'; readonly at: number }

/** Attempts that failed one after another, up to now. */
export interface Failures {
  readonly count: number
  readonly lastAt: number
  /** What Vault asked for in Retry-After, in milliseconds. */
  readonly retryAfterMs?: number | undefined
}

/** Everything that a decision depends on. */
export interface Facts {
  readonly now: number
  /** The lease of the credential in force; absent before the first and after the last one died. */
  readonly lease?: Lease | undefined
  /** The token that owns the lease. */
  readonly token?: TokenFacts | undefined
  /** −1 to 1, drawn once for each grant, so that managers started together do not act together. */
  readonly jitter: number
  readonly leaseFailures: Failures
  readonly tokenFailures: Failures
  /** A rotation that something outside the schedule asked for. */
  readonly forced?: { readonly reason: RotationReason; readonly notBefore: number } | undefined
  /** Whether something has made it uncertain that the lease is what it is known as. */
  readonly unsure?: boolean
  /** The same of the token. */
  readonly tokenUnsure?: boolean
  /** When the token was renewed last. */
  readonly tokenRenewedAt?: number | undefined
}

export const noFailures: Failures = { count: 0, lastAt: Number.NEGATIVE_INFINITY }

const renewAtFraction = 2 / 3
const jitterFraction = 0.1
/** In the last part of a life a renewal that keeps failing gives way to a rotation. */
const lastPart = 0.15
const firstBackoffMs = 250
const longestBackoffMs = 30_000
const longestBackoffWithoutCredentialMs = 5_000
const shortestBackoffMs = 100
const shortestGapMs = 250
const longestRetryAfterMs = 60_000
const lastCallFraction = 0.75

/** The moment from which the credential may not be used: the end of the lease or of the token that owns it. */
export function deadlineOf(lease: Lease, token: TokenFacts | undefined): number {
  return lease.outlivesToken ? lease.end : Math.min(lease.end, token?.end ?? Number.POSITIVE_INFINITY)
}

/** The next thing to do. Pure: the same facts give the same action. */
export function nextAction(facts: Facts): Action {
  const candidates = [expiry(facts), leaseAction(facts), tokenAction(facts)].filter(
    (action) => action !== undefined,
  )
  return candidates.reduce((first, other) => (other.at < first.at ? other : first))
}

/** The end of the credential in force, for when an attempt is under way and only the end must not be missed. */
export function expiry({ lease, token, now }: Facts): Action | undefined {
  return lease && { do: 'expire', at: Math.max(now, deadlineOf(lease, token)) }
}

function leaseAction(facts: Facts): Action {
  const { lease, token, now, forced, leaseFailures } = facts
  const notBefore = retryAt(facts, leaseFailures)
  const deadline = lease ? deadlineOf(lease, token) : Number.POSITIVE_INFINITY
  const at = (due: number): number => Math.max(now, Math.min(Math.max(due, notBefore), deadline))

  if (forced) return { do: 'rotate', at: at(forced.notBefore), reason: forced.reason }
  if (!lease) return { do: 'rotate', at: at(now), reason: 'start' }
  if (facts.unsure) return whenUnsure(lease, at(now))
  if (lease.lookAt !== undefined) return { do: 'look', at: at(lease.lookAt) }
  if (lease.truncated) return { do: 'rotate', at: at(now), reason: 'max-ttl' }
  if (token && endsFirst(token, lease))
    return { do: 'rotate', at: at(dueWithin(lease.issuedAt, token.end, facts.jitter)), reason: 'token' }
  const due = at(dueWithin(lease.grantedAt, lease.end, facts.jitter))
  if (!lease.extendable) return { do: 'rotate', at: due, reason: 'age' }
  const rotateFrom = deadline - lastPart * (deadline - lease.grantedAt)
  if (leaseFailures.count > 0 && due >= rotateFrom) return { do: 'rotate', at: due, reason: 'renewal-failed' }
  return { do: 'renew', at: due }
}

/** Whoever gave the credential is asked at once whether it lives. */
function whenUnsure({ extendable, lookAt }: Lease, at: number): Action {
  if (extendable) return { do: 'renew', at }
  return lookAt === undefined ? { do: 'rotate', at, reason: 'wake-up' } : { do: 'look', at }
}

/** A token that cannot be extended any further, ends before the lease, and can be replaced by logging in anew. */
function endsFirst(token: TokenFacts, lease: Lease): boolean {
  return !lease.outlivesToken && !token.renewable && token.replaceable && token.end < lease.end
}

function tokenAction(facts: Facts): Action | undefined {
  const { token, now, tokenFailures, tokenRenewedAt = Number.NEGATIVE_INFINITY } = facts
  if (!token || token.end === Number.POSITIVE_INFINITY) return undefined
  const due = facts.tokenUnsure
    ? now
    : token.renewable
      ? dueWithin(token.issuedAt, token.end, facts.jitter)
      : lookForAnotherAt(token, facts.jitter)
  if (due === undefined) return undefined
  // Whatever a renewal has changed: it is no reason to ask without end.
  const notBefore = Math.max(tokenRenewedAt + shortestGapMs, retryAt(facts, tokenFailures))
  return { do: 'renew-token', at: Math.max(now, due, notBefore) }
}

/** The same token came again: look more often the nearer its end, because a lease must move before it dies. */
function lookForAnotherAt({ lastLookAt, replaceable, end }: TokenFacts, jitter: number): number | undefined {
  if (replaceable || lastLookAt === undefined) return undefined
  return dueWithin(lastLookAt, end, jitter)
}

/** At two thirds of a life, but not at once, however short it is: Vault counts in seconds. */
function dueWithin(start: number, end: number, jitter: number): number {
  return start + Math.max(shortestGapMs, (end - start) * renewAtFraction * (1 + jitterFraction * jitter))
}

/** When to try again: exponential, jittered, and often enough to have several tries before the deadline. */
function retryAt({ lease, token, jitter }: Facts, { count, lastAt, retryAfterMs = 0 }: Failures): number {
  if (count === 0) return Number.NEGATIVE_INFINITY
  const remaining = lease ? deadlineOf(lease, token) - lastAt : 0
  const longest =
    remaining > 0 ? Math.min(longestBackoffMs, remaining / 4) : longestBackoffWithoutCredentialMs
  const exponential = Math.min(longest, firstBackoffMs * 2 ** Math.min(count - 1, 20))
  const spread = exponential * (1 + jitter / 2)
  // To wait until the credential is dead would be to lose it: it is asked for once more before.
  const asked = Math.min(
    retryAfterMs,
    longestRetryAfterMs,
    remaining > 0 ? remaining * lastCallFraction : retryAfterMs,
  )
  return lastAt + Math.max(shortestBackoffMs, spread, asked)
}

import type { PoolUsage } from './consumer.ts'
import type { Action } from './schedule.ts'

/**
 * - `starting`: no credential yet, the first one is being fetched;
 * - `ready`: a credential is in force;
 * - `rotating`: a credential is in force and its successor is on the way;
 * - `degraded`: a credential is in force, but Vault or the database fails;
 * - `expired`: no credential may be used; the manager keeps trying;
 * - `closing`, `closed`.
 */
export type LeaseState = 'starting' | 'ready' | 'rotating' | 'degraded' | 'expired' | 'closing' | 'closed'

/**
 * How a consumer of the lease stands with its own database.
 * - `unproven`: its new connections use a credential that the database has neither accepted nor refused yet;
 * - `proven`: the database has accepted the credential in use;
 * - `refused`: the database refuses the credential, though others on the lease go on with it; asked again and again.
 */
export type PlaceState = 'unproven' | 'proven' | 'refused'

/** A snapshot of one pool on the lease. It holds no secret. */
export interface PlaceStatus {
  /** Where it connects, such as `postgresql://db.internal:5432/app`. */
  readonly place: string
  readonly state: PlaceState
  /** The generation whose connections may be used there; 0 while there is none. */
  readonly generation: number
  /** The message of what last failed there, until the database accepts a credential. */
  readonly lastError: string | undefined
  /** In how many milliseconds a database that refuses the credential is asked again. */
  readonly nextTryInMs: number | undefined
  /** The connections of the pool by generation, and its load where only the pool knows it; `undefined` where it does not tell. */
  readonly usage: PoolUsage | undefined
}

/** A snapshot of the token that the credential was read with. It holds no secret. */
export interface TokenStatus {
  /** Milliseconds until it ends, unless it is renewed; `undefined` when it has no end, or none that is known. */
  readonly expiresInMs: number | undefined
  /** Attempts to renew it that failed one after another up to now. */
  readonly failures: number
  /** The message of the last of them, until one succeeds. */
  readonly lastError: string | undefined
}

/** A snapshot for people and health checks. It holds no secret. */
export interface LeaseStatus {
  readonly state: LeaseState
  /** What is read from Vault, for example `database/creds/readonly`. */
  readonly source: string
  /** The generation in force; 0 while there is none. */
  readonly generation: number
  /** The database user in force. */
  readonly username: string | undefined
  /** Milliseconds until the credential in force may not be used any more, unless it is renewed or replaced. */
  readonly expiresInMs: number | undefined
  /** What the manager does next, and in how many milliseconds; `undefined` while it is doing something. */
  readonly next: { readonly do: Action['do']; readonly inMs: number } | undefined
  /** Attempts at the lease that failed one after another up to now. */
  readonly failures: number
  /** The message of the last of them, until one succeeds. */
  readonly lastError: string | undefined
  /** Vault's token, with which a lease dies; `undefined` while there is no credential, and for one that does not come from Vault. */
  readonly token: TokenStatus | undefined
  /** Old generations whose connections are still being closed or whose lease is being revoked. */
  readonly retiring: readonly number[]
  /**
   * The circuit breaker before Vault: `open` while Vault is left alone because it failed several times in a row; `undefined`
   * for a credential that does not come from Vault.
   */
  readonly circuit: 'closed' | 'open' | 'half-open' | undefined
  /** The pools of this manager, each with its own database. */
  readonly places: readonly PlaceStatus[]
}

interface StateFacts {
  readonly closing: boolean
  readonly closed: boolean
  readonly usable: boolean
  readonly everUsable: boolean
  readonly rotating: boolean
  readonly failures: number
}

export function stateOf(facts: StateFacts): LeaseState {
  if (facts.closed) return 'closed'
  if (facts.closing) return 'closing'
  if (!facts.usable) return facts.everUsable || facts.failures > 0 ? 'expired' : 'starting'
  if (facts.failures > 0) return 'degraded'
  return facts.rotating ? 'rotating' : 'ready'
}

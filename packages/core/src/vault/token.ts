import { type TimedAnswer, usesIn, type VaultAuth } from './answer.ts'

/** What is known of a token's life, on the manager's clock. */
export interface TokenFacts {
  readonly issuedAt: number
  /** Infinity for a token without an end, or of which nothing is known. */
  readonly end: number
  /** Whether renewing can still move the end. */
  readonly renewable: boolean
  /** Whether logging in again gives another token. */
  readonly replaceable: boolean
  /** When logging in again gave the same token. */
  readonly lastLookAt?: number
}

interface TokenParts {
  /** `undefined` when something before Vault adds the token. */
  readonly value: string | undefined
  /** Vault made it for us, so we give it back. */
  readonly issued: boolean
  /** The duration that every renewal asks for. */
  readonly durationMs: number
  /** How many requests can be made with it. */
  readonly uses: number
  readonly facts: TokenFacts
}

/** A token in use. Its value is readable but not enumerable. */
export class Token {
  readonly #value: string | undefined
  readonly issued: boolean
  readonly durationMs: number
  facts: TokenFacts
  /** What dies with the token: leases under it, and requests under way, of which one may bring a lease. */
  holders = 0
  #usesLeft: number

  constructor({ value, issued, durationMs, uses, facts }: TokenParts) {
    this.#value = value
    this.issued = issued
    this.durationMs = durationMs
    this.#usesLeft = uses
    this.facts = facts
  }

  get value(): string | undefined {
    return this.#value
  }

  /** Whether no request can be made with it but the last, with which its leases would die (seen on OpenBao 2.7). */
  get usedUp(): boolean {
    return this.#usesLeft <= 1
  }

  /** Takes a use for a request, unless only the last is left. */
  spend(): boolean {
    if (this.usedUp) return false
    this.#usesLeft--
    return true
  }
}

/** The token of a login. */
export function issuedToken({ auth, sentAt }: { readonly auth: VaultAuth; readonly sentAt: number }): Token {
  const { token: value, leaseDurationMs: durationMs, renewable, uses } = auth
  const end = durationMs > 0 ? sentAt + durationMs : Number.POSITIVE_INFINITY
  return new Token({
    value,
    issued: true,
    durationMs,
    uses,
    facts: { issuedAt: sentAt, end, renewable, replaceable: true },
  })
}

/** A token that somebody else has made, by what Vault says of it. */
export function lookedUpToken(value: string, answer: TimedAnswer): Token {
  const { data, sentAt } = answer
  const { ttlMs, durationMs, end } = lifeIn(answer)
  const renewable = data['renewable'] === true && ttlMs > 0
  const facts = { issuedAt: sentAt, end, renewable, replaceable: true }
  return new Token({ value, issued: false, durationMs, uses: usesIn(data['num_uses']), facts })
}

/** When a token ends, by what Vault says of it. */
export function lookedUpEnd(answer: TimedAnswer): number {
  return lifeIn(answer).end
}

function lifeIn({ data, sentAt }: TimedAnswer): {
  readonly ttlMs: number
  readonly durationMs: number
  readonly end: number
} {
  const ttlMs = millisecondsIn(data['ttl']) ?? 0
  const durationMs = millisecondsIn(data['period']) || (millisecondsIn(data['creation_ttl']) ?? ttlMs)
  // The ttl is cut to whole seconds: 0 is also what a token says in its last one.
  const end = ttlMs > 0 || durationMs > 0 ? sentAt + ttlMs : Number.POSITIVE_INFINITY
  return { ttlMs, durationMs, end }
}

/** A token of which nothing is known but that it is there. */
export function unknownToken(value: string | undefined, now: number): Token {
  const facts = { issuedAt: now, end: Number.POSITIVE_INFINITY, renewable: false, replaceable: true }
  return new Token({ value, issued: false, durationMs: 0, uses: Number.POSITIVE_INFINITY, facts })
}

function millisecondsIn(seconds: unknown): number | undefined {
  return typeof seconds === 'number' && seconds >= 0 ? seconds * 1_000 : undefined
}

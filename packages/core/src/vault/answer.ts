import { VaultError } from './errors.ts'

/** What Vault answered, its shape checked. */
export interface VaultAnswer {
  /** Empty when there is no lease. */
  readonly leaseId: string
  readonly leaseDurationMs: number
  readonly renewable: boolean
  /** As Vault has it, empty when there is none. */
  readonly data: Readonly<Record<string, unknown>>
  /** The token in it, when there is one. */
  readonly auth: VaultAuth | undefined
}

/** An answer, and how it came. */
export interface TimedAnswer extends VaultAnswer {
  /** When the request was sent, on the manager's clock, less the time that a cache has held the answer. */
  readonly sentAt: number
  /** How old the answer is: the time that it took, and that a cache has held it. */
  readonly ageMs: number
  /** Whether a cache before Vault had the answer: `undefined` when there is no cache, or it does not say so. */
  readonly cache: CacheUse | undefined
  /** All of it: what the server says of itself is in no `data`. */
  readonly body: Readonly<Record<string, unknown>>
}

/** What the X-Cache header of Vault Agent and Vault Proxy says. */
export type CacheUse = 'hit' | 'miss'

/** The token of a login or a renewal of one. */
export interface VaultAuth {
  readonly token: string
  /** How long it lives; 0 when it has no end. */
  readonly leaseDurationMs: number
  /** Whether its life can be extended. */
  readonly renewable: boolean
  /** How many requests can be made with it; Infinity when there is no limit. */
  readonly uses: number
}

/** Reads an answer's body, whatever it is, without trusting its shape. */
export function readAnswer(
  body: unknown,
  { sentAt = 0, ageMs = 0, cache }: Partial<Pick<TimedAnswer, 'sentAt' | 'ageMs' | 'cache'>>,
  request: string,
): TimedAnswer {
  const answer = recordOf(body ?? {}, 'the answer', request)
  const auth = answer['auth'] ?? undefined
  return {
    leaseId: textOf(answer['lease_id'] ?? '', 'lease_id', request),
    leaseDurationMs: durationOf(answer['lease_duration'] ?? 0, request),
    renewable: answer['renewable'] === true,
    data: recordOf(answer['data'] ?? {}, 'data', request),
    auth: auth === undefined ? undefined : readAuth(recordOf(auth, 'auth', request), request),
    body: answer,
    sentAt,
    ageMs,
    cache,
  }
}

function readAuth(auth: Record<string, unknown>, request: string): VaultAuth {
  return {
    token: textOf(auth['client_token'], 'auth.client_token', request),
    leaseDurationMs: durationOf(auth['lease_duration'] ?? 0, request),
    renewable: auth['renewable'] === true,
    uses: usesIn(auth['num_uses']),
  }
}

/** Vault says 0 for a token without a limit, and −1 for one whose last use was this. */
export function usesIn(value: unknown): number {
  if (typeof value !== 'number' || value === 0) return Number.POSITIVE_INFINITY
  return Math.max(0, value)
}

export function recordOf(value: unknown, name: string, request: string): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value }
  throw badAnswer(`${name} is not an object`, request)
}

export function textOf(value: unknown, name: string, request: string): string {
  if (typeof value === 'string') return value
  throw badAnswer(`${name} is not a text`, request)
}

/** Vault counts in seconds. */
function durationOf(value: unknown, request: string): number {
  if (typeof value === 'number' && Number.isFinite(value) && value >= 0) return value * 1_000
  throw badAnswer('lease_duration is not a number of seconds', request)
}

export function badAnswer(what: string, request: string, cause?: unknown): VaultError {
  return new VaultError(
    `The answer to ${request} is not one of Vault: ${what}. Does VAULT_ADDR point to Vault, and not to a proxy or another server?`,
    { code: 'ERR_VAULT_BAD_ANSWER', retryable: true, cause },
  )
}

import { VaultLeaseError } from '../errors.ts'
import { type Clock, sleep } from '../resilience/clock.ts'
import { VaultError } from './errors.ts'

export interface RetryTerms {
  /** Attempts after the first. */
  readonly retries: number
  readonly clock: Clock
  readonly random: () => number
  readonly signal?: AbortSignal | undefined
}

const firstBackoffMs = 200
const longestBackoffMs = 1_500
/** A server that asks for more is left to the caller, who knows how long there is to wait. */
const longestRetryAfterMs = 5_000

/** Tries again what failed with a retryable error: full jitter, a short Retry-After, and an end with the signal. */
export async function withRetry<T>(
  run: () => Promise<T>,
  { retries, clock, random, signal }: RetryTerms,
): Promise<T> {
  signal?.throwIfAborted()
  for (let retry = 0; ; retry++) {
    try {
      return await run()
    } catch (error) {
      if (retry >= retries || !canHelp(error)) throw error
      const longest = Math.min(longestBackoffMs, firstBackoffMs * 2 ** retry)
      try {
        await sleep(clock, Math.max(random() * longest, retryAfterMsOf(error)), signal)
      } catch {
        // The time is over: the last failure says more than that.
        throw error
      }
    }
  }
}

function canHelp(error: unknown): boolean {
  if (!(error instanceof VaultLeaseError && error.retryable)) return false
  if (error instanceof VaultError && error.code === 'ERR_VAULT_CIRCUIT_OPEN') return false
  return retryAfterMsOf(error) <= longestRetryAfterMs
}

function retryAfterMsOf(error: unknown): number {
  return (error instanceof VaultError && error.retryAfterMs) || 0
}

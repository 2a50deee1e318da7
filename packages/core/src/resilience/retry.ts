import pRetry from 'p-retry'
import { VaultLeaseError } from '../errors.ts'
import { VaultError } from '../vault/errors.ts'
import { type Clock, sleep } from './clock.ts'

export interface RetryOptions {
  /** Attempts after the first. */
  readonly retries: number
  readonly clock: Clock
  readonly random: () => number
  readonly signal?: AbortSignal | undefined
}

const firstBackoffMs = 100
const longestBackoffMs = 1_500
/** A server that asks for more is left to the caller, who knows how long there is to wait. */
const longestRetryAfterMs = 5_000

/** Tries again what failed with a retryable error: full jitter, a short Retry-After, and an end with the signal. */
export async function withRetry<T>(run: () => Promise<T>, options: RetryOptions): Promise<T> {
  const { retries, clock, random, signal } = options
  return await pRetry(run, {
    retries,
    minTimeout: 0,
    factor: 1,
    ...(signal && { signal }),
    // p-retry asks before it retries only, so that the wait, on our own clock, belongs here.
    async shouldRetry({ error, attemptNumber }) {
      if (!(error instanceof VaultLeaseError && error.retryable)) return false
      if (error instanceof VaultError && error.code === 'ERR_VAULT_CIRCUIT_OPEN') return false
      const retryAfterMs = (error instanceof VaultError && error.retryAfterMs) || 0
      if (retryAfterMs > longestRetryAfterMs) return false
      const longest = Math.min(longestBackoffMs, firstBackoffMs * 2 ** attemptNumber)
      const waited = sleep(clock, Math.max(random() * longest, retryAfterMs), signal)
      // When the time is over, the last failure says more than that it is.
      return await waited.then(
        () => true,
        () => false,
      )
    },
  })
}

import type { VaultLeaseError } from '../errors.ts'
import { VaultError } from '../vault/errors.ts'
import { type Failures, noFailures } from './schedule.ts'

/** The attempts that failed one after another, of the lease and of the token apart. */
export class FailureLog {
  #lease = noFailures
  #token = noFailures
  #last: VaultLeaseError | undefined

  get lease(): Failures {
    return this.#lease
  }

  get token(): Failures {
    return this.#token
  }

  /** What made the last attempt at the lease fail, until one succeeds. */
  get last(): VaultLeaseError | undefined {
    return this.#last
  }

  leaseFailed(error: VaultLeaseError, now: number): void {
    this.#lease = oneMore(this.#lease, error, now)
    this.#last = error
  }

  tokenFailed(error: VaultLeaseError, now: number): void {
    this.#token = oneMore(this.#token, error, now)
  }

  /** Something has changed: there is no reason to wait before the next attempt at the lease. */
  tryNow(): void {
    this.#lease = { ...this.#lease, lastAt: Number.NEGATIVE_INFINITY, retryAfterMs: undefined }
  }

  leaseSucceeded(): void {
    this.#lease = noFailures
    this.#last = undefined
  }

  tokenSucceeded(): void {
    this.#token = noFailures
  }
}

function oneMore({ count }: Failures, error: VaultLeaseError, now: number): Failures {
  const retryAfterMs = error instanceof VaultError ? error.retryAfterMs : undefined
  return { count: count + 1, lastAt: now, retryAfterMs }
}

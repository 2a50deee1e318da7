import { CredentialNotProvenError, CredentialsUnavailableError, VaultLeaseError } from '../errors.ts'
import { plainCause } from '../observe/redact.ts'
import type { LeaseStep } from './events.ts'
import { type Action, type Failures, noFailures } from './schedule.ts'

/** The attempts that failed one after another, of the lease and of the token apart. */
export class FailureLog {
  #lease = noFailures
  #token = noFailures
  #last: VaultLeaseError | undefined
  #lastOfToken: VaultLeaseError | undefined

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

  /** What made the last attempt to renew the token fail, until one succeeds. */
  get lastOfToken(): VaultLeaseError | undefined {
    return this.#lastOfToken
  }

  leaseFailed(error: VaultLeaseError, now: number): void {
    this.#lease = oneMore(this.#lease, error, now)
    this.#last = error
  }

  tokenFailed(error: VaultLeaseError, now: number): void {
    this.#token = oneMore(this.#token, error, now)
    this.#lastOfToken = error
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
    this.#lastOfToken = undefined
  }
}

function oneMore({ count }: Failures, { retryAfterMs }: VaultLeaseError, now: number): Failures {
  return { count: count + 1, lastAt: now, retryAfterMs }
}

/** An error of whoever it is, as the failure of a step. */
export function asLeaseError(step: LeaseStep, error: unknown): VaultLeaseError {
  if (error instanceof VaultLeaseError) return error
  const message = `The step "${step}" failed: ${plainCause(error).message}`
  return new CredentialsUnavailableError(message, { cause: error })
}

/** At which step an attempt failed. */
export function stepOf(attempted: Exclude<Action['do'], 'expire'>, error: unknown): LeaseStep {
  if (attempted === 'renew' || attempted === 'renew-token') return attempted
  return error instanceof CredentialNotProvenError ? 'prove' : 'fetch'
}

import type { Clock } from '../resilience/clock.ts'
import { VaultError, type VaultErrorCode } from './errors.ts'

/** When a circuit breaker leaves Vault alone. */
export interface CircuitBreakerOptions {
  /** After how many requests that failed in a row. Default: 5. */
  readonly failures?: number | undefined
  /** For how many milliseconds. Default: 30,000. */
  readonly pauseMs?: number | undefined
}

/** The same with nothing left out. */
export interface CircuitBreakerTerms {
  readonly failures: number
  readonly pauseMs: number
}

/** While it is `open`, Vault is left alone because it failed several times in a row; `half-open`, one request tries it. */
export type CircuitState = 'closed' | 'open' | 'half-open'

/** What says that Vault itself is in trouble, and not the request, the role, or the database. */
const trouble: ReadonlySet<VaultErrorCode> = new Set([
  'ERR_VAULT_UNREACHABLE',
  'ERR_VAULT_TIMEOUT',
  'ERR_VAULT_BAD_ANSWER',
  'ERR_VAULT_SEALED',
  'ERR_VAULT_STANDBY',
  'ERR_VAULT_SERVER',
])

/** What is known of Vault, until an outcome tells something else. */
interface Standing {
  readonly state: CircuitState
  /** When the next trial may begin: after the pause, or when the one under way has had as much time. */
  readonly trialAt: number
  failures: number
}

/** Leaves Vault alone for a while when it has failed several times in a row, unless that would cost a credential its life. */
export class CircuitBreaker {
  readonly #failures: number
  readonly #pauseMs: number
  readonly #clock: Clock
  #standing: Standing
  #lastTrouble: VaultError | undefined

  constructor({ failures, pauseMs }: CircuitBreakerTerms, clock: Clock) {
    this.#failures = failures
    this.#pauseMs = pauseMs
    this.#clock = clock
    this.#standing = this.#newStanding('closed', 0)
  }

  get state(): CircuitState {
    return this.#standing.state
  }

  /**
   * Makes an attempt, unless the circuit is open. An attempt whose answer is of no use any more when the pause is over is made
   * all the same, and closes the circuit when it succeeds.
   *
   * @throws VaultError with ERR_VAULT_CIRCUIT_OPEN when no attempt was made.
   */
  async run<T>(attempt: () => Promise<T>, deadline?: number): Promise<T> {
    this.check(deadline)
    // The trial of another decides about the circuit.
    if (this.state === 'half-open' && this.#waits) return await attempt()
    if (this.state !== 'closed') this.#standing = this.#newStanding('half-open', this.#pauseMs)
    const standing = this.#standing
    try {
      const answer = await attempt()
      if (standing === this.#standing) this.#answered()
      return answer
    } catch (error) {
      if (standing === this.#standing) this.#failed(error)
      throw error
    }
  }

  /**
   * Whether an attempt would be made now.
   *
   * @throws VaultError with ERR_VAULT_CIRCUIT_OPEN when it would not.
   */
  check(deadline: number = Number.POSITIVE_INFINITY): void {
    if (this.#waits && deadline >= this.#standing.trialAt) throw this.#openError()
  }

  /** Whether whoever can wait has to. */
  get #waits(): boolean {
    return this.state !== 'closed' && this.#clock.now() < this.#standing.trialAt
  }

  #answered(): void {
    if (this.state === 'closed') this.#standing.failures = 0
    else this.#standing = this.#newStanding('closed', 0)
  }

  #failed(error: unknown): void {
    const isTrial = this.state === 'half-open'
    if (isTrouble(error)) {
      this.#lastTrouble = error
      this.#standing.failures++
      if (isTrial || this.#standing.failures >= this.#failures)
        this.#standing = this.#newStanding('open', this.#pauseMs)
    } else if (isTrial) {
      // What is no trouble of Vault's is an answer of Vault. A trial that was given up told nothing: the next one may begin.
      this.#standing = this.#newStanding(error instanceof VaultError ? 'closed' : 'open', 0)
    }
  }

  #newStanding(state: CircuitState, trialInMs: number): Standing {
    return { state, trialAt: this.#clock.now() + trialInMs, failures: 0 }
  }

  #openError(): VaultError {
    // How long a trial takes is not known: it may be over at once.
    const leftMs = this.state === 'half-open' ? 0 : Math.ceil(this.#standing.trialAt - this.#clock.now())
    const last = this.#lastTrouble ? ` The last failure: ${this.#lastTrouble.message}` : ''
    return new VaultError(
      `Vault is left alone for ${leftMs} ms more (of ${this.#pauseMs} ms), because it failed several times in a row.${last}`,
      { code: 'ERR_VAULT_CIRCUIT_OPEN', retryable: true, retryAfterMs: leftMs, cause: this.#lastTrouble },
    )
  }
}

function isTrouble(error: unknown): error is VaultError {
  return error instanceof VaultError && trouble.has(error.code)
}

import {
  type CircuitBreakerPolicy,
  CircuitState,
  ConsecutiveBreaker,
  circuitBreaker,
  handleWhen,
} from 'cockatiel'
import { VaultError, type VaultErrorCode } from '../vault/errors.ts'
import type { Clock } from './clock.ts'

/** When a circuit breaker leaves Vault alone. */
export interface CircuitBreakerOptions {
  /** After how many requests that failed in a row. Default: 5. */
  readonly failures?: number | undefined
  /** For how many milliseconds. Default: 30,000. */
  readonly pauseMs?: number | undefined
}

export type CircuitName = 'closed' | 'open' | 'half-open'

const defaultFailures = 5
const defaultPauseMs = 30_000

/** What says that Vault itself is in trouble, and not the request, the role, or the database. */
const trouble: ReadonlySet<VaultErrorCode> = new Set([
  'ERR_VAULT_UNREACHABLE',
  'ERR_VAULT_TIMEOUT',
  'ERR_VAULT_BAD_ANSWER',
  'ERR_VAULT_SEALED',
  'ERR_VAULT_STANDBY',
  'ERR_VAULT_SERVER',
])

/** Leaves Vault alone for a while when it has failed several times in a row, unless that would cost a credential its life. */
export class Circuit {
  readonly #clock: Clock
  readonly #pauseMs: number
  readonly #policy: CircuitBreakerPolicy
  #pauseEnd = 0
  #lastFailure: unknown

  constructor({ failures = defaultFailures, pauseMs = defaultPauseMs }: CircuitBreakerOptions, clock: Clock) {
    this.#clock = clock
    this.#pauseMs = pauseMs
    this.#policy = circuitBreaker(handleWhen(isTrouble), {
      // Its own pause is counted by the date, which can be set back; ours is not.
      halfOpenAfter: Number.NEGATIVE_INFINITY,
      breaker: new ConsecutiveBreaker(failures),
    })
    this.#policy.onFailure(({ reason }) => {
      this.#lastFailure = 'error' in reason ? reason.error : undefined
    })
    this.#policy.onBreak(() => {
      this.#pauseEnd = clock.now() + pauseMs
    })
  }

  get state(): CircuitName {
    if (this.#policy.state === CircuitState.Open) return 'open'
    return this.#policy.state === CircuitState.HalfOpen ? 'half-open' : 'closed'
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
    return this.state === 'half-open' ? await attempt() : await this.#policy.execute(attempt)
  }

  /**
   * Whether an attempt would be made now.
   *
   * @throws VaultError with ERR_VAULT_CIRCUIT_OPEN when it would not.
   */
  check(deadline: number = Number.POSITIVE_INFINITY): void {
    const urgent = deadline < this.#pauseEnd
    const paused = this.state === 'open' && this.#clock.now() < this.#pauseEnd
    if ((paused || this.state === 'half-open') && !urgent) throw this.#openError()
  }

  #openError(): VaultError {
    const leftMs = Math.max(0, Math.ceil(this.#pauseEnd - this.#clock.now()))
    const last = this.#lastFailure instanceof Error ? ` The last failure: ${this.#lastFailure.message}` : ''
    return new VaultError(
      `Vault is left alone for ${leftMs} ms more (of ${this.#pauseMs} ms), because it failed several times in a row.${last}`,
      { code: 'ERR_VAULT_CIRCUIT_OPEN', retryable: true, retryAfterMs: leftMs, cause: this.#lastFailure },
    )
  }
}

function isTrouble(error: Error): boolean {
  return error instanceof VaultError && trouble.has(error.code)
}

import { type Clock, sleep } from './clock.ts'

/** How often Vault may be asked. */
export interface RateLimitOptions {
  /** Requests per second. */
  readonly rate: number
  /** How many may come at once. Default: the rate, at least 1. */
  readonly burst?: number | undefined
}

/** The same with nothing left out. */
export interface RateLimitTerms {
  readonly rate: number
  readonly burst: number
}

/** Spreads requests over time: a leaky bucket, kept as the moment at which it is empty (the generic cell rate algorithm). */
export class RateLimit {
  readonly #clock: Clock
  readonly #intervalMs: number
  readonly #toleranceMs: number
  #emptyAt = Number.NEGATIVE_INFINITY

  constructor({ rate, burst }: RateLimitTerms, clock: Clock) {
    this.#clock = clock
    this.#intervalMs = 1_000 / rate
    this.#toleranceMs = (burst - 1) * this.#intervalMs
  }

  /** Resolves when the next request may be sent. Rejects with the reason of the signal. */
  async turn(signal: AbortSignal | undefined): Promise<void> {
    const now = this.#clock.now()
    const at = Math.max(now, this.#emptyAt)
    this.#emptyAt = at + this.#intervalMs
    const waitMs = at - this.#toleranceMs - now
    if (waitMs > 0) await sleep(this.#clock, waitMs, signal)
  }
}

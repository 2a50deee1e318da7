import { type Clock, sleep } from './clock.ts'
import { unlessAborted } from './settle.ts'

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
  /** Settles with the last of those who wait for their turn. */
  #queue: Promise<unknown> = Promise.resolve()

  constructor({ rate, burst }: RateLimitTerms, clock: Clock) {
    this.#clock = clock
    this.#intervalMs = 1_000 / rate
    this.#toleranceMs = (burst - 1) * this.#intervalMs
  }

  /** Resolves when the next request may be sent. Rejects with the reason of the signal. */
  async turn(signal: AbortSignal | undefined): Promise<void> {
    const before = this.#queue
    const turn = this.#turnAfter(before, signal)
    this.#queue = Promise.allSettled([before, turn])
    await turn
  }

  /** Who gives up takes nothing: the next one comes in its place. */
  async #turnAfter(before: Promise<unknown>, signal: AbortSignal | undefined): Promise<void> {
    await unlessAborted(before, signal)
    const waitMs = this.#emptyAt - this.#toleranceMs - this.#clock.now()
    if (waitMs > 0) await sleep(this.#clock, waitMs, signal)
    this.#emptyAt = Math.max(this.#clock.now(), this.#emptyAt) + this.#intervalMs
  }
}

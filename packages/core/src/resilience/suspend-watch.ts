import type { Clock } from './clock.ts'

/** Clocks that are disciplined drift against each other by less. */
const toleranceMs = 2_000

/**
 * Notices that the process was suspended. Meanwhile the monotonic clock stands still (CLOCK_MONOTONIC, clock_gettime(2)),
 * while the date goes on. A date that is set forward looks the same.
 */
export class SuspendWatch {
  readonly #clock: Clock
  #offset: number

  constructor(clock: Clock) {
    this.#clock = clock
    this.#offset = clock.date() - clock.now()
  }

  /** Whether it was, since the last look. */
  noticed(): boolean {
    const offset = this.#clock.date() - this.#clock.now()
    const grownMs = offset - this.#offset
    if (Math.abs(grownMs) < toleranceMs) return false
    this.#offset = offset
    return grownMs > 0
  }
}

import { type Clock, systemClock } from '@vault-lease/core/adapter'

/** A time that is the same for all who wait, with one timer for all of them: many waits are short and never see its end. */
export class TimeLimit<Waiter> {
  readonly #ms: number
  readonly #onOver: (waiter: Waiter) => void
  readonly #clock: Clock
  /** When the time of each is over, in this order. */
  readonly #waiting = new Map<Waiter, number>()
  #cancelTimer: (() => void) | undefined

  constructor(ms: number, onOver: (waiter: Waiter) => void, clock: Clock = systemClock) {
    this.#ms = ms
    this.#onOver = onOver
    this.#clock = clock
  }

  add(waiter: Waiter): void {
    this.#waiting.set(waiter, this.#clock.now() + this.#ms)
    if (!this.#cancelTimer) this.#watchFirst()
  }

  /** Says whether it was still waiting. */
  delete(waiter: Waiter): boolean {
    return this.#waiting.delete(waiter)
  }

  /** Forgets all of them. */
  clear(): void {
    this.#waiting.clear()
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
  }

  #watchFirst(): void {
    const [first] = this.#waiting.values()
    if (first === undefined) return
    this.#cancelTimer = this.#clock.schedule(first - this.#clock.now(), () => {
      this.#cancelTimer = undefined
      for (const [waiter, overAt] of this.#waiting) {
        if (overAt > this.#clock.now()) break
        this.#waiting.delete(waiter)
        this.#onOver(waiter)
      }
      this.#watchFirst()
    })
  }
}

import { setImmediate } from 'node:timers/promises'
import type { Clock } from '../src/resilience/clock.ts'

/** Time that stands still until a test moves it. */
export class ManualClock implements Clock {
  #now = 0
  #timers: { at: number; wake: () => void }[] = []
  /** How far the date was set forward, or went on without us. */
  ahead = 0
  /** How many timers were ever set. */
  scheduled = 0

  now(): number {
    return this.#now
  }

  date(): number {
    return this.#now + this.ahead
  }

  /** Timers that are waiting. */
  get pending(): number {
    return this.#timers.length
  }

  schedule(ms: number, wake: () => void): () => void {
    const timer = { at: this.#now + Math.max(0, ms), wake }
    this.scheduled++
    this.#timers.push(timer)
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer)
    }
  }

  keepAlive(): () => void {
    return () => {}
  }

  /** Lets `ms` go by, firing each timer at its moment and letting promises settle after each. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms
    for (;;) {
      await setImmediate()
      const next = this.#timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0]
      if (!next) break
      this.#timers = this.#timers.filter((other) => other !== next)
      this.#now = Math.max(this.#now, next.at)
      next.wake()
    }
    this.#now = end
    await setImmediate()
  }

  /** The process was suspended: time went by and no timer fired. */
  jump(ms: number): void {
    this.#now += ms
  }
}

import type { Clock } from '../resilience/clock.ts'

/** What a look finds, and how much longer it is so by the monotonic clock. */
export interface Found<Value> {
  readonly value: Value
  readonly lastsMs: number
}

/** So long a look is believed by the date alone, which may be set back by as much meanwhile: that is left out at the end. */
const believedMs = 1_000

/**
 * Something that changes with time and is asked for all the time. It is found out at most once a second, and anew after
 * `forget()`: everything between costs one look at the date, which, unlike the monotonic clock, goes on while the machine sleeps.
 */
export class Glance<Value> {
  readonly #look: () => Found<Value>
  #value: Value
  #from = Number.POSITIVE_INFINITY
  #until = Number.NEGATIVE_INFINITY

  constructor(nothingYet: Value, look: () => Found<Value>) {
    this.#value = nothingYet
    this.#look = look
  }

  /** What is so at this moment. */
  at(clock: Clock): Value {
    const date = clock.date()
    return date >= this.#from && date < this.#until ? this.#value : this.#lookNow(clock)
  }

  /** What was so when something changed last, or at a later look. */
  lately(clock: Clock): Value {
    return this.#until === Number.NEGATIVE_INFINITY ? this.#lookNow(clock) : this.#value
  }

  /** Something has changed. */
  forget(): void {
    this.#until = Number.NEGATIVE_INFINITY
  }

  #lookNow(clock: Clock): Value {
    const { value, lastsMs } = this.#look()
    const date = clock.date()
    this.#value = value
    this.#from = date
    const believed = Math.min(believedMs, lastsMs - believedMs)
    this.#until = believed > 0 ? date + believed : Number.NEGATIVE_INFINITY
    return value
  }
}

import type { PoolAttachment } from '../lease/attachment.ts'
import { type Clock, systemClock } from '../resilience/clock.ts'
import { settled } from '../resilience/settle.ts'
import { Attempts, type Reconnecting } from './attempts.ts'

/** What a pool does with one connection on the way to its holder. */
export interface CheckoutHooks<Taken> extends Reconnecting {
  /** Takes one from the pool, which opens it or has the caller wait in its queue. */
  take(done: CheckedOut<Taken>): void
  /** Whether the next to take one gets it in the next moment: it is asked for nothing, and is for nobody else. */
  hasIdle(): boolean
  giveBack(taken: Taken): void
  isStale(taken: Taken): boolean
  /** Closes it; its place in the pool is free when the server has closed it too. */
  closeStale(taken: Taken): void
  /** Milliseconds that an acquire may wait for a credential, all in all; none: the lease's own time. */
  patienceMs(): number | undefined
  /** What an acquire fails with whose patience is over while it waits in the pool, in a pool that limits that too. */
  tooLate?(): Error
}

/** What a caller of `acquire()` gets: a connection, or the reason why there is none. */
export type CheckedOut<Taken> = (error: Error | null | undefined, taken: Taken | undefined) => void

/** What is asked of the pool's part in its lease. */
export type CheckoutLease = Pick<PoolAttachment, 'current' | 'generation' | 'credential'>

/** One acquire that has to wait, until its answer. */
class Acquire<Taken> {
  readonly done: CheckedOut<Taken>
  /** None while what it has waited for was a moment: a look at the clock is dear. */
  attempts: Attempts | undefined
  /** Where it stands among those that wait for their answer. */
  place = 0
  answered = false
  cancelTimer: (() => void) | undefined = undefined

  constructor(done: CheckedOut<Taken>, attempts: Attempts | undefined) {
    this.done = done
    this.attempts = attempts
  }
}

/** Hands out connections of the generation in use only, and waits for a credential when there is none. */
export class Checkout<Taken> {
  readonly #lease: CheckoutLease
  readonly #pool: CheckoutHooks<Taken>
  readonly #clock: Clock
  readonly #acquiring: Acquire<Taken>[] = []
  /** Of those who take what is idle there is only this number: they get it in the next moment. */
  #takingIdle = 0
  #onAllAnswered: (() => void) | undefined

  constructor(lease: CheckoutLease, pool: CheckoutHooks<Taken>, clock: Clock = systemClock) {
    this.#lease = lease
    this.#pool = pool
    this.#clock = clock
  }

  acquire(done: CheckedOut<Taken>): void {
    const isUsable = this.#lease.generation !== 0
    if (isUsable && this.#pool.hasIdle()) {
      this.#takeIdle(done)
      return
    }
    const acquire = this.#waiting(done, this.#newAttempts())
    // The first time, the pool counts for itself.
    if (isUsable) this.#take(acquire)
    else void this.#onceUsable(acquire)
  }

  /** Gives those who wait their time, and then the answer that the pool has ended. */
  async end(withinMs: number, ended: () => Error): Promise<void> {
    if (!this.#areAllAnswered) {
      const answered = new Promise<void>((resolve) => {
        this.#onAllAnswered = resolve
      })
      await settled(this.#clock, answered, withinMs)
    }
    for (const acquire of [...this.#acquiring]) this.#answer(acquire, ended(), undefined)
  }

  #takeIdle(done: CheckedOut<Taken>): void {
    let isTaken = false
    this.#takingIdle++
    const answer: CheckedOut<Taken> = (error, taken) => {
      isTaken = true
      this.#takingIdle--
      if (taken === undefined || !this.#lease.current || this.#pool.isStale(taken)) {
        this.#taken(this.#waiting(done, undefined), error, taken)
      } else {
        done(undefined, taken)
        if (this.#onAllAnswered) this.#answered()
      }
    }
    try {
      this.#pool.take(answer)
    } catch (error) {
      if (isTaken) throw error
      answer(error as Error, undefined)
    }
  }

  #waiting(done: CheckedOut<Taken>, attempts: Attempts | undefined): Acquire<Taken> {
    const acquire = new Acquire(done, attempts)
    acquire.place = this.#acquiring.push(acquire) - 1
    return acquire
  }

  /** Begins anew, with what is left of the caller's patience. */
  #again(acquire: Acquire<Taken>): void {
    if (acquire.answered) return
    const { tooLate } = this.#pool
    const { leftMs } = this.#attemptsOf(acquire)
    if (leftMs !== undefined && tooLate)
      acquire.cancelTimer ??= this.#clock.schedule(leftMs, () => this.#answer(acquire, tooLate(), undefined))
    if (this.#lease.current) this.#take(acquire)
    else void this.#onceUsable(acquire)
  }

  async #onceUsable(acquire: Acquire<Taken>): Promise<void> {
    try {
      await this.#lease.credential({ timeoutMs: this.#attemptsOf(acquire).leftMs })
    } catch (error) {
      return this.#answer(acquire, error as Error, undefined)
    }
    this.#again(acquire)
  }

  #take(acquire: Acquire<Taken>): void {
    try {
      this.#pool.take((error, taken) => this.#taken(acquire, error, taken))
    } catch (error) {
      // A function of the caller's, such as one that opens a stream, may throw.
      this.#answer(acquire, error as Error, undefined)
    }
  }

  #taken(acquire: Acquire<Taken>, error: Error | null | undefined, taken: Taken | undefined): void {
    if (taken === undefined) {
      this.#takeFailed(acquire, error)
    } else if (acquire.answered || !this.#lease.current) {
      this.#pool.giveBack(taken)
      this.#again(acquire)
    } else if (this.#pool.isStale(taken)) {
      this.#pool.closeStale(taken)
      this.#again(acquire)
    } else {
      this.#answer(acquire, undefined, taken)
    }
  }

  #takeFailed(acquire: Acquire<Taken>, error: Error | null | undefined): void {
    const giveUp = (): void => this.#answer(acquire, error, undefined)
    const again = (worth: boolean): void => (worth ? this.#again(acquire) : giveUp())
    this.#attemptsOf(acquire).another(error, this.#pool).then(again, giveUp)
  }

  #answer(acquire: Acquire<Taken>, error: Error | null | undefined, taken: Taken | undefined): void {
    if (acquire.answered) return
    acquire.answered = true
    acquire.cancelTimer?.()
    this.#strikeOff(acquire)
    acquire.done(error, taken)
    this.#answered()
  }

  #answered(): void {
    if (this.#areAllAnswered) this.#onAllAnswered?.()
  }

  get #areAllAnswered(): boolean {
    return this.#acquiring.length === 0 && this.#takingIdle === 0
  }

  #attemptsOf(acquire: Acquire<Taken>): Attempts {
    acquire.attempts ??= this.#newAttempts()
    return acquire.attempts
  }

  #newAttempts(): Attempts {
    return new Attempts(this.#clock, this.#pool.patienceMs())
  }

  /** The last one takes its place: a set would cost more than the rest of an acquire. */
  #strikeOff(acquire: Acquire<Taken>): void {
    const last = this.#acquiring.pop()
    if (last === undefined || last === acquire) return
    last.place = acquire.place
    this.#acquiring[acquire.place] = last
  }
}

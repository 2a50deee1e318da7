import { CredentialsUnavailableError } from '../errors.ts'
import type { LeaseManager } from '../lease/manager.ts'
import { serveQueue } from './serve-queue.ts'

/** What a pool does with one connection on the way to its holder. */
export interface CheckoutHooks<Taken> {
  /** Takes one from the pool, which opens it or has the caller wait in its queue. */
  take(done: (error: Error | null | undefined, taken: Taken | undefined) => void): void
  giveBack(taken: Taken): void
  isStale(taken: Taken): boolean
  /** Closes it; its place in the pool is free when the server has closed it too. */
  closeStale(taken: Taken): void
  worthConnectingAgain(error: unknown): Promise<boolean>
  /** Milliseconds that a caller waits for a credential at most; none: the lease's own time. */
  patienceMs(): number | undefined
}

/** What a caller of `acquire()` gets: a connection, or the reason why there is none. */
export type CheckedOut<Taken> = (error: Error | null | undefined, taken: Taken | undefined) => void

/** What is asked of the lease. */
export type CheckoutLease = Pick<LeaseManager, 'current' | 'credential'>

/** Hands out connections of the generation in force only, and waits for a credential when there is none. */
export class Checkout<Taken> {
  readonly #lease: CheckoutLease
  readonly #pool: CheckoutHooks<Taken>
  #acquiring = 0
  #onAllAcquired: (() => void) | undefined

  constructor(lease: CheckoutLease, pool: CheckoutHooks<Taken>) {
    this.#lease = lease
    this.#pool = pool
  }

  acquire(done: CheckedOut<Taken>): void {
    this.#acquiring++
    this.#checkOut((error, taken) => {
      this.#acquiring--
      done(error, taken)
      if (this.#acquiring === 0) this.#onAllAcquired?.()
    })
  }

  /** Resolves once whoever waits now has got an answer, in bounded time. */
  async served(): Promise<void> {
    if (this.#acquiring === 0) return
    await serveQueue(
      new Promise((resolve) => {
        this.#onAllAcquired = resolve
      }),
    )
  }

  #checkOut(done: CheckedOut<Taken>, retriesLeft = 1): void {
    if (this.#lease.current) this.#checkOutNow(done, retriesLeft)
    else void this.#checkOutOnceUsable(done, retriesLeft)
  }

  async #checkOutOnceUsable(done: CheckedOut<Taken>, retriesLeft: number): Promise<void> {
    try {
      await this.#lease.credential({ timeoutMs: this.#pool.patienceMs() })
    } catch (error) {
      return done(error as Error, undefined)
    }
    this.#checkOut(done, retriesLeft)
  }

  #checkOutNow(done: CheckedOut<Taken>, retriesLeft: number): void {
    this.#pool.take((error, taken) => {
      if (taken === undefined) {
        this.#checkOutFailed(error, done, retriesLeft)
      } else if (!this.#lease.current) {
        this.#pool.giveBack(taken)
        this.#checkOut(done, retriesLeft)
      } else if (this.#pool.isStale(taken)) {
        this.#pool.closeStale(taken)
        this.#checkOut(done, retriesLeft)
      } else {
        done(undefined, taken)
      }
    })
  }

  #checkOutFailed(error: Error | null | undefined, done: CheckedOut<Taken>, retriesLeft: number): void {
    const giveUp = (): void => done(error, undefined)
    if (error instanceof CredentialsUnavailableError) {
      // The credential went out of force while this acquire was queued: wait for the next one, or hear why there is none.
      this.#checkOut(done, retriesLeft)
    } else if (retriesLeft === 0) {
      giveUp()
    } else {
      const again = (): void => this.#checkOut(done, retriesLeft - 1)
      this.#pool.worthConnectingAgain(error).then((worth) => (worth ? again() : giveUp()), giveUp)
    }
  }
}

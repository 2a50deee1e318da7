import { systemClock } from '@vault-lease/core/adapter'

/** Someone who waits for a place. */
interface Waiter<Connection> {
  grant(place: Connection | undefined): void
}

/** The places for connections in a pool: each is empty, has an idle connection, or is taken. */
export class Places<Connection> {
  readonly max: number
  readonly #idle = new Set<Connection>()
  readonly #waiting = new Set<Waiter<Connection>>()
  #taken = 0

  constructor(max: number) {
    this.max = max
  }

  /** The connections that nobody uses, the one used last at the end. */
  get idle(): readonly Connection[] {
    return [...this.#idle]
  }

  /**
   * Takes a place, which has an idle connection or is empty.
   *
   * @param onTimeout what is thrown when there was none for so long.
   */
  take(timeout?: { readonly ms: number; readonly error: () => Error }): Promise<Connection | undefined> {
    const idle = this.idle.at(-1)
    if (idle !== undefined) {
      this.#idle.delete(idle)
      this.#taken++
      return Promise.resolve(idle)
    }
    if (this.#taken < this.max) {
      this.#taken++
      return Promise.resolve(undefined)
    }
    return new Promise((resolve, reject) => {
      const waiter = {
        grant(place: Connection | undefined) {
          cancel?.()
          resolve(place)
        },
      }
      const cancel =
        timeout &&
        systemClock.schedule(timeout.ms, () => {
          this.#waiting.delete(waiter)
          reject(timeout.error())
        })
      this.#waiting.add(waiter)
    })
  }

  /** Takes the place of an idle connection. Says whether the connection was idle. */
  takeIdle(connection: Connection): boolean {
    if (!this.#idle.delete(connection)) return false
    this.#taken++
    return true
  }

  /** Gives a place back with the connection in it. */
  giveBack(connection: Connection): void {
    if (this.#grant(connection)) return
    this.#taken--
    this.#idle.add(connection)
  }

  /** Gives a place back empty. */
  vacate(): void {
    if (!this.#grant(undefined)) this.#taken--
  }

  /** Whoever has waited longest gets the place. */
  #grant(place: Connection | undefined): boolean {
    const [first] = this.#waiting
    if (!first) return false
    this.#waiting.delete(first)
    first.grant(place)
    return true
  }
}

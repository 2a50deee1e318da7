/** Someone who wants a place. */
export interface PlaceTaker<Connection> {
  /** Gets it, with the connection that is idle in it; without one, it may be opened. */
  fill(idle: Connection | undefined): void
}

/** The places for connections in a pool: each is empty, has an idle connection, or is taken. */
export class Places<Connection> {
  readonly max: number
  /** The one used last at the end. */
  readonly #idle: Connection[] = []
  readonly #waiting = new Set<PlaceTaker<Connection>>()
  #taken = 0

  constructor(max: number) {
    this.max = max
  }

  /** The connections that nobody uses, the one used last at the end. */
  get idle(): readonly Connection[] {
    return this.#idle
  }

  /** How many wait for a place. */
  get waiting(): number {
    return this.#waiting.size
  }

  /** Takes the place of the idle connection that was used last, if there is any. */
  takeIdle(): Connection | undefined {
    const idle = this.#idle.pop()
    if (idle !== undefined) this.#taken++
    return idle
  }

  /** Takes a place, as soon as there is one. */
  take(taker: PlaceTaker<Connection>): void {
    const idle = this.takeIdle()
    if (idle === undefined && this.#taken === this.max) {
      this.#waiting.add(taker)
      return
    }
    if (idle === undefined) this.#taken++
    taker.fill(idle)
  }

  /**
   * Takes the next place that there is, for the connection that is idle in it.
   *
   * @throws when there is none in it: the place is given back.
   */
  async takeOccupied(): Promise<Connection> {
    const idle = await new Promise<Connection | undefined>((fill) => this.take({ fill }))
    if (idle !== undefined) return idle
    this.vacate()
    throw new Error('There is no connection in the place.')
  }

  /** Waits no longer. */
  leave(taker: PlaceTaker<Connection>): void {
    this.#waiting.delete(taker)
  }

  /** Takes the place of an idle connection. Says whether the connection was idle. */
  takePlaceOf(connection: Connection): boolean {
    const index = this.#idle.indexOf(connection)
    if (index < 0) return false
    this.#idle.splice(index, 1)
    this.#taken++
    return true
  }

  /** Gives a place back with the connection in it. */
  giveBack(connection: Connection): void {
    if (this.#grant(connection)) return
    this.#taken--
    this.#idle.push(connection)
  }

  /** Gives a place back empty. */
  vacate(): void {
    if (!this.#grant(undefined)) this.#taken--
  }

  /** Whoever has waited longest gets the place. */
  #grant(idle: Connection | undefined): boolean {
    for (const first of this.#waiting) {
      this.#waiting.delete(first)
      first.fill(idle)
      return true
    }
    return false
  }
}

import type { Duplex } from 'node:stream'
import { unlessAborted } from '@vault-lease/core/adapter'
import { type CheckOutOptions, type Pool, type Server, socketOf } from './driver.ts'
import { sayFarewell } from './farewell.ts'
import { NotSentError } from './operation.ts'
import type { SessionUse } from './session-use.ts'

/** What decides whether a connection is opened and used. */
export interface PoolSurroundings {
  /** Whether new operations are done as this user; while that is in doubt, a promise of it. */
  isInForce(): boolean | Promise<boolean>
  /** While there is no room for one more connection to a server: resolves when there is, or there is another reason to go on. */
  whenRoom(server: string, orElse: () => boolean): Promise<void> | undefined
}

/** For whom a connection is taken. */
type Taker = Pick<SessionUse, 'movable'>

const nobody: Taker = { movable: true }
const farewellWithinMs = 2_000
/** As the driver has it for an operation that may take any time. */
const withoutTimeout = { timeoutContext: { connectionCheckoutTimeout: null, csotEnabled: () => false } }

/** The connections of one client, in its pools: one for each server. */
export class PooledConnections {
  readonly #surroundings: PoolSurroundings
  readonly #needed: () => number
  readonly #pools: Pool[] = []
  readonly #parting = new Map<Duplex, Promise<void>>()
  #taker: Taker | undefined
  #leaving = false

  /** @param needed how many connections are needed at most by those who stay when the client is left for another. */
  constructor(surroundings: PoolSurroundings, needed: () => number) {
    this.#surroundings = surroundings
    this.#needed = needed
  }

  /** How many are open. */
  get open(): number {
    return this.#sockets.length
  }

  /** The next one is taken, in the same breath, for the operation of the session, or of nobody. */
  takesFor(use: SessionUse | undefined): void {
    this.#taker = use ?? nobody
  }

  /**
   * Who has waited for a connection while the user was replaced, or found to be no more, is served by another client.
   * While that is in doubt nobody begins to use one.
   */
  watch({ name, pool }: Server): void {
    const checkIn = pool.checkIn.bind(pool)
    pool.checkIn = (connection) => {
      if (!this.#hasSpare) return checkIn(connection)
      const socket = socketOf(connection)
      const farewell = sayFarewell([socket], farewellWithinMs).then(() => checkIn(connection))
      this.#parting.set(socket, farewell)
    }
    const checkOut = pool.checkOut.bind(pool)
    const checkOutInTurn = async (options: CheckOutOptions, taker: Taker | undefined): Promise<object> => {
      const { signal } = options
      const orElse = (): boolean => !this.#mayGrow(pool) || signal?.aborted === true
      if (this.#mayGrow(pool)) await this.#surroundings.whenRoom(name, orElse)
      const connection = await checkOut(options)
      const inForce = this.#surroundings.isInForce()
      if (inForce === true || (await inForce) || !taker?.movable) return connection
      pool.checkIn(connection)
      throw new NotSentError()
    }
    pool.checkOut = (options) => {
      const taker = this.#taker
      this.#taker = undefined
      const isThere = pool.availableConnectionCount > pool.waitQueueSize
      return isThere && this.#surroundings.isInForce() === true
        ? checkOut(options)
        : checkOutInTurn(options, taker)
    }
    this.#pools.push(pool)
  }

  /** Opens one and keeps it. Resolves with what gives it back. */
  async openOne({ name, pool }: Server, signal: AbortSignal): Promise<() => void> {
    await this.#surroundings.whenRoom(name, () => signal.aborted)
    signal.throwIfAborted()
    const opening = pool.checkOut(withoutTimeout)
    const giveBack = (connection: object): void => pool.checkIn(connection)
    try {
      const connection = await unlessAborted(opening, signal)
      return () => giveBack(connection)
    } catch (error) {
      // The driver goes on to open it, and it wants to be closed in good order like every other.
      opening.then(giveBack).catch(() => {})
      throw error
    }
  }

  /** The client is left for another: it keeps no more than are needed from now on. */
  giveUpSpare(): void {
    this.#leaving = true
    // A pool that is closed meanwhile has none any more.
    for (const pool of this.#pools) this.#giveUpIdle(pool).catch(() => {})
  }

  /** Ends all, and resolves once the servers have ended them too. */
  async sayFarewell(): Promise<void> {
    await Promise.all([...this.#parting.values(), sayFarewell(this.#sockets, farewellWithinMs)])
  }

  /** What nobody uses is taken out and given back, which closes what is spare. */
  async #giveUpIdle(pool: Pool): Promise<void> {
    while (this.#hasSpare && pool.availableConnectionCount > 0)
      pool.checkIn(await pool.checkOut(withoutTimeout))
  }

  /** Whether the next connection that is taken can be one that has to be opened. The first one always may. */
  #mayGrow({ availableConnectionCount, waitQueueSize, totalConnectionCount }: Pool): boolean {
    return !this.#leaving && totalConnectionCount > 0 && availableConnectionCount <= waitQueueSize
  }

  get #hasSpare(): boolean {
    return this.#leaving && this.open > this.#needed()
  }

  /** As the driver knows them, which opens them for more than one reason; it still has those that have ended. */
  get #sockets(): Duplex[] {
    const connections = this.#pools.flatMap(({ connections, checkedOut }) => [...connections, ...checkedOut])
    return connections.map(socketOf).filter((socket) => !socket.closed && !this.#parting.has(socket))
  }
}

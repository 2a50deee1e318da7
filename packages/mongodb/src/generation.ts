import type { Duplex } from 'node:stream'
import { inspect } from 'node:util'
import {
  type PoolLoad,
  pause,
  type RetirableClient,
  type Retired,
  type RetireTerms,
  settlesWithin,
  systemClock,
  unlessAborted,
} from '@vault-lease/core/adapter'
import type { ChangeStreamPosition } from './change-stream.ts'
import {
  type CheckOutOptions,
  type ConnectedClient,
  type Pool,
  type SelectOptions,
  type Server,
  type Session,
  socketOf,
  type Topology,
} from './driver.ts'
import { sayFarewell } from './farewell.ts'
import { NotSentError, type Run, type Runner, runOn } from './operation.ts'
import { type Home, type SessionUse, useOf } from './session-use.ts'

/** How the user of a generation stands, and who is beside it. */
export interface Surroundings {
  /** What is told of servers is what this client says, from now on. */
  takeOver(): void
  /** Whether new operations are done as this user; while that is in doubt, a promise of it. */
  isInForce(): boolean | Promise<boolean>
  /** While there is no room for one more connection to a server: resolves when there is, or there is another reason to go on. */
  whenRoom(server: string, orElse: () => boolean): Promise<void> | undefined
  refused(error: unknown): Promise<boolean>
  suspected(): void
  /** The generation that new operations go to. */
  current(): Promise<Generation>
}

const lookEveryMs = 10
const nobody: Taker = { movable: true }
const closeWithinMs = 2_000
/** As the driver has it for an operation that may take any time. */
const withoutTimeout = { timeoutContext: { connectionCheckoutTimeout: null, csotEnabled: () => false } }

/** For whom a connection is taken. */
type Taker = Pick<SessionUse, 'movable'>

/** One client of the driver, whose connections all belong to one user, and those who are bound to it. */
export class Generation implements Home, Runner, RetirableClient {
  readonly topology: Topology
  readonly #surroundings: Surroundings
  readonly #client: ConnectedClient
  readonly #uses = new Set<SessionUse>()
  readonly #watched = new Set<Server>()
  readonly #sockets = new Set<Duplex>()
  readonly #farewells = new Set<Promise<void>>()
  readonly #closedCursors = new WeakSet<ChangeStreamPosition>()
  /** Each takes what nobody uses out of a pool and gives it back, which closes what is spare. */
  readonly #giveUpIdle: (() => Promise<void>)[] = []
  /** Of those who hold nothing yet there is only this number: nothing can be lost with them. */
  #selecting = 0
  /** Operations of nobody: their sessions have nothing here yet. */
  #underWay = 0
  #taker: Taker | undefined
  #draining = false
  #ended: (() => Error) | undefined
  #closed: Promise<void> | undefined

  constructor(client: ConnectedClient, surroundings: Surroundings) {
    this.topology = client.topology
    this.#surroundings = surroundings
    this.#client = client
  }

  /** Whether somebody is at work. A change stream never comes to an end. */
  get busy(): boolean {
    return this.#passing > 0 || [...this.#uses].some((use) => use.busy)
  }

  get ended(): (() => Error) | undefined {
    return this.#ended
  }

  get most(): number {
    return this.#client.options.maxPoolSize || Number.POSITIVE_INFINITY
  }

  connections(): ReadonlyMap<string, number> {
    const connectionsOf = ({ totalConnectionCount, waitQueueSize }: Pool): number =>
      Math.min(this.most, totalConnectionCount + waitQueueSize)
    return new Map(Array.from(this.#servers, ({ name, pool }) => [name, connectionsOf(pool)]))
  }

  load(): Omit<PoolLoad, 'max'> {
    const pools = Array.from(this.#servers, ({ pool }) => pool)
    return {
      idle: pools.reduce((sum, { availableConnectionCount }) => sum + availableConnectionCount, 0),
      waiting: pools.reduce((sum, { waitQueueSize }) => sum + waitQueueSize, 0),
    }
  }

  async openOne(name: string, signal: AbortSignal): Promise<() => void> {
    const server = this.topology.s.servers.get(name)
    if (!server) throw new Error(`the server ${name} is not known yet`)
    const { pool } = this.#watch(server)
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

  begin(use: SessionUse | undefined, watching = false): void {
    if (!use) {
      this.#underWay++
      return
    }
    this.remember(use)
    use.begin(watching)
  }

  takesFor(use: SessionUse | undefined): void {
    this.#taker = use ?? nobody
  }

  end(use: SessionUse | undefined, watching = false): void {
    if (!use) {
      this.#underWay--
      return
    }
    use.end(watching)
    if (!use.remembered) this.forget(use)
  }

  remember(use: SessionUse): void {
    use.moveTo(this)
    this.#uses.add(use)
  }

  forget(use: SessionUse): void {
    this.#uses.delete(use)
  }

  select(selector: unknown, options: SelectOptions, use: SessionUse | undefined): Promise<Server> {
    const selected = this.topology.selectServer(selector, options)
    if (this.topology.waitQueue.length > 0) return this.#whenSelected(selected, use)
    // One was there: the driver gives the operation to it before anything else happens.
    for (const server of this.#servers) this.#watch(server)
    return selected
  }

  async #whenSelected(selected: Promise<Server>, use: SessionUse | undefined): Promise<Server> {
    // It is bound from here on: the driver gives the operation to the server as soon as that is known.
    use?.moveTo(this)
    use?.begin()
    this.#selecting++
    try {
      return this.#watch(await selected)
    } finally {
      this.#selecting--
      use?.end()
    }
  }

  async serverAt(name: string): Promise<Server> {
    const selector = (_description: unknown, servers: readonly { address: string }[]): unknown =>
      servers.filter(({ address }) => address === name)
    return await this.select(selector, { operationName: 'rotation' }, undefined)
  }

  suspected(): void {
    this.#surroundings.suspected()
  }

  refused(error: unknown): Promise<boolean> {
    return this.#surroundings.refused(error)
  }

  current(): Promise<Generation> {
    return this.#surroundings.current()
  }

  takeOver(): void {
    this.#surroundings.takeOver()
  }

  async retire({ signal, stragglerError }: RetireTerms): Promise<Retired> {
    const open = this.#sockets.size
    this.#draining = true
    // A pool that is closed meanwhile has none any more.
    for (const giveUp of this.#giveUpIdle) giveUp().catch(() => {})
    // What was selected just before is given to its server before the first look.
    do await pause(systemClock, lookEveryMs, signal)
    while (!signal.aborted && (this.#passing > 0 || [...this.#uses].some((use) => use.bound)))
    const forced = this.#underWay + [...this.#uses].filter((use) => use.busy).length
    this.#ended = stragglerError
    await Promise.all(Array.from(this.#uses, (use) => this.#part(use, stragglerError)))
    await this.close()
    return { closed: Math.max(0, open - forced), forced }
  }

  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  /** The server would do it by itself some time after. */
  async closeCursorOf(position: ChangeStreamPosition): Promise<void> {
    if (this.#closedCursors.has(position)) return
    this.#closedCursors.add(position)
    const { namespace, cursorId } = position
    const command = { killCursors: namespace.collection, cursors: [cursorId] }
    const session = this.#client.startSession() as Session
    const use = useOf(session)
    // What holds a cursor stays on its client: nobody else may close it.
    use.cursorOpened(`${cursorId}`)
    await settlesWithin(this.#client.db(namespace.db).command(command, { session }), closeWithinMs)
    use.cursorClosed(`${cursorId}`)
    await session.endSession()
  }

  async #part(use: SessionUse, reason: () => Error): Promise<void> {
    use.lose(reason)
    // One that is being read would end as if there were nothing more to come.
    if (use.bound) return
    await Promise.all(Array.from(use.changeStreams?.values() ?? [], (each) => this.closeCursorOf(each)))
  }

  async #close(): Promise<void> {
    await Promise.all([...this.#farewells, sayFarewell(this.#sockets, closeWithinMs)])
    this.topology.closeCheckedOutConnections()
    // Before the client, which would open a connection to say that its sessions have ended.
    this.topology.close()
    await settlesWithin(this.#client.close(), closeWithinMs)
    this.#uses.clear()
  }

  /** Every operation comes by here, when it was given to a server and before it is sent. */
  #watch(server: Server): Server {
    if (this.#watched.has(server)) return server
    this.#watched.add(server)
    const run: Run = server.command.bind(server)
    server.command = (operation, timeoutContext) => runOn(this, server, run, operation, timeoutContext)
    this.#watchPool(server)
    // From a cursor, a server leads to the password.
    Object.defineProperty(server, inspect.custom, { value: () => `Server { ${server.name} }` })
    return server
  }

  /**
   * Who has waited for a connection while the user was replaced, or found to be no more, is served by another client.
   * While that is in doubt nobody begins to use one.
   */
  #watchPool({ name, pool }: Server): void {
    const checkOut = pool.checkOut.bind(pool)
    const checkIn = pool.checkIn.bind(pool)
    pool.checkIn = (connection) => {
      if (this.#isSpare)
        this.#farewells.add(this.#partWith(socketOf(connection)).then(() => checkIn(connection)))
      else checkIn(connection)
    }
    const sockets = new Set<Duplex>()
    // One that has ended is still there for the driver, which opens another one in its place: that is not taken unseen.
    const allAlive = (): boolean =>
      sockets.size === pool.availableConnectionCount + pool.currentCheckedOutCount
    const checkOutSeen = async (options: CheckOutOptions, taker: Taker | undefined): Promise<object> => {
      if (this.#mayGrow(pool)) {
        const { signal } = options
        const orElse = (): boolean => !this.#mayGrow(pool) || signal?.aborted === true
        await this.#surroundings.whenRoom(name, orElse)
      }
      const connection = await checkOut(options)
      this.#noteSocket(socketOf(connection), sockets)
      const inForce = this.#surroundings.isInForce()
      if (inForce === true || (await inForce) || !taker?.movable) return connection
      pool.checkIn(connection)
      throw new NotSentError()
    }
    pool.checkOut = (options) => {
      const taker = this.#taker
      this.#taker = undefined
      const isThere = pool.availableConnectionCount > pool.waitQueueSize && allAlive()
      if (isThere && this.#surroundings.isInForce() === true) return checkOut(options)
      return checkOutSeen(options, taker)
    }
    this.#giveUpIdle.push(async () => {
      while (this.#isSpare && pool.availableConnectionCount > 0) pool.checkIn(await checkOut(withoutTimeout))
    })
  }

  /** Whether the next connection that is taken can be one that has to be opened. The first one always may. */
  #mayGrow({ availableConnectionCount, waitQueueSize, totalConnectionCount }: Pool): boolean {
    return !this.#draining && totalConnectionCount > 0 && availableConnectionCount <= waitQueueSize
  }

  #noteSocket(socket: Duplex, ofPool: Set<Duplex>): void {
    if (ofPool.has(socket)) return
    ofPool.add(socket)
    this.#sockets.add(socket)
    socket.once('close', () => {
      ofPool.delete(socket)
      this.#sockets.delete(socket)
    })
  }

  /** Those that nobody was sent to yet, too: the first connection is there before. */
  get #servers(): Iterable<Server> {
    return this.topology.s.servers.values()
  }

  /** A client that is left for another keeps no more connections than there are sessions bound to it. */
  get #isSpare(): boolean {
    return this.#draining && this.#sockets.size > this.#uses.size + this.#passing
  }

  /** Who is on the way through, with nothing to keep. */
  get #passing(): number {
    return this.#selecting + this.#underWay
  }

  async #partWith(socket: Duplex): Promise<void> {
    this.#sockets.delete(socket)
    await sayFarewell([socket], closeWithinMs)
  }
}

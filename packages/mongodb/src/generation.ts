import { inspect } from 'node:util'
import {
  type PoolLoad,
  pause,
  type RetirableClient,
  type Retired,
  type RetireTerms,
  settlesWithin,
  systemClock,
} from '@vault-lease/core/adapter'
import type { ServerDescription } from 'mongodb'
import type { ChangeStreamPosition } from './change-stream.ts'
import type { ConnectedClient, Pool, SelectOptions, Server, Session, Topology } from './driver.ts'
import { type Run, type Runner, runOn } from './operation.ts'
import { PooledConnections, type PoolSurroundings } from './pooled-connections.ts'
import { type Home, type SessionUse, useOf } from './session-use.ts'

/** How the user of a generation stands, and who is beside it. */
export interface Surroundings extends PoolSurroundings {
  /** What is told of servers is what this client says, from now on. */
  takeOver(): void
  refused(error: unknown): Promise<boolean>
  suspected(): void
  /** The generation that new operations go to. */
  current(): Promise<Generation>
}

const lookEveryMs = 10
const closeWithinMs = 2_000

/** One client of the driver, whose connections all belong to one user, and those who are bound to it. */
export class Generation implements Home, Runner, RetirableClient {
  readonly topology: Topology
  readonly #surroundings: Surroundings
  readonly #client: ConnectedClient
  readonly #uses = new Set<SessionUse>()
  readonly #watched = new Set<Server>()
  readonly #connections: PooledConnections
  readonly #closedCursors = new WeakSet<ChangeStreamPosition>()
  /** Of those who hold nothing yet there is only this number: nothing can be lost with them. */
  #selecting = 0
  /** Operations of nobody: their sessions have nothing here yet. */
  #underWay = 0
  #ended: (() => Error) | undefined
  #closed: Promise<void> | undefined

  constructor(client: ConnectedClient, surroundings: Surroundings) {
    this.topology = client.topology
    this.#surroundings = surroundings
    this.#client = client
    this.#connections = new PooledConnections(surroundings, () => this.#uses.size + this.#passing)
    for (const server of this.#servers) this.#watch(server)
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
    return await this.#connections.openOne(this.#watch(server), signal)
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
    this.#connections.takesFor(use)
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
    // The pool of an unknown server turns away at once: who tried again would let nothing else of the process have its turn.
    const selector = (_description: unknown, servers: readonly ServerDescription[]): unknown =>
      servers.filter(({ address, type }) => address === name && type !== 'Unknown')
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
    const open = this.#connections.open
    this.#connections.giveUpSpare()
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
    await this.#connections.sayFarewell()
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
    this.#connections.watch(server)
    // From a cursor, a server leads to the password.
    Object.defineProperty(server, inspect.custom, { value: () => `Server { ${server.name} }` })
    return server
  }

  /** Those that nobody was sent to yet, too: the first connection is there before. */
  get #servers(): Iterable<Server> {
    return this.topology.s.servers.values()
  }

  /** Who is on the way through, with nothing to keep. */
  get #passing(): number {
    return this.#selecting + this.#underWay
  }
}

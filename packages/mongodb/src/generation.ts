import type { Duplex } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { inspect } from 'node:util'
import type { LeaseManager, Retired, RetireTerms } from '@vault-lease/core'
import { settlesWithin } from '@vault-lease/core/adapter'
import { opensChangeStream, positionAfter, reopening } from './change-stream.ts'
import {
  type ConnectedClient,
  isCursorResponse,
  isDenial,
  isPoolCleared,
  isRefusal,
  isZero,
  type Operation,
  type Pool,
  type SelectOptions,
  type Server,
  socketOf,
  type Topology,
} from './driver.ts'
import { sayFarewell } from './farewell.ts'
import type { SessionUse } from './session-use.ts'

/** What a generation needs of the others. */
export interface Surroundings {
  readonly lease: LeaseManager
  useOf(operation: Operation): SessionUse | undefined
  /** The generation that new operations go to. */
  current(): Promise<Generation>
}

type Command = Server['command']

const lookEveryMs = 10
const closeWithinMs = 2_000

/** A connection was taken, and not used: its user is no more. */
class NotSentError extends Error {}

/** One client of the driver, whose connections all belong to one user, and those who are bound to it. */
export class Generation {
  readonly number: number
  readonly topology: Topology
  readonly #client: ConnectedClient
  readonly #surroundings: Surroundings
  readonly #uses = new Set<SessionUse>()
  readonly #watched = new WeakSet<Server>()
  readonly #sockets = new Set<Duplex>()
  readonly #closedCursors = new WeakSet<object>()
  #ended: (() => Error) | undefined
  #closed: Promise<void> | undefined

  constructor(number: number, client: ConnectedClient, surroundings: Surroundings) {
    this.number = number
    this.topology = client.topology
    this.#client = client
    this.#surroundings = surroundings
  }

  /** Whether somebody is at work. A change stream never comes to an end. */
  get busy(): boolean {
    return [...this.#uses].some((use) => use.bound && !use.changeStream)
  }

  forget(use: SessionUse): void {
    this.#uses.delete(use)
  }

  /** Selects a server for an operation, as the driver does. */
  async select(selector: unknown, options: SelectOptions, use: SessionUse | undefined): Promise<Server> {
    // It is bound from here on: the driver gives the operation to the server as soon as that is known.
    if (use) this.#begin(use)
    try {
      return this.#watch(await this.topology.selectServer(selector, options))
    } finally {
      if (use) this.#end(use)
    }
  }

  /** Lets everybody finish who is bound to this client, and closes it; at the deadline, under its holders. */
  async retire({ signal, stragglerError }: RetireTerms): Promise<Retired> {
    // What was selected just before is given to its server before the first look.
    do await sleep(lookEveryMs, undefined, { signal }).catch(() => {})
    while (!signal.aborted && [...this.#uses].some((use) => use.bound))
    const stragglers = [...this.#uses].filter((use) => use.bound && !use.changeStream)
    const open = this.#sockets.size
    this.#ended = stragglerError
    for (const use of this.#uses) await this.#part(use, stragglerError)
    this.#uses.clear()
    await this.close()
    return { closed: Math.max(0, open - stragglers.length), forced: stragglers.length }
  }

  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    await sayFarewell(this.#sockets, closeWithinMs)
    // Before the client, which would open a connection to say that its sessions have ended.
    this.topology.close()
    await settlesWithin(this.#client.close(), closeWithinMs)
  }

  async #part(use: SessionUse, reason: () => Error): Promise<void> {
    if (use.changeStream) await this.#closeCursor(use)
    else use.lose(reason)
  }

  /** Every operation comes by here, when it was given to a server and before it is sent. */
  #watch(server: Server): Server {
    if (this.#watched.has(server)) return server
    this.#watched.add(server)
    const command = server.command.bind(server)
    server.command = (operation, timeoutContext) => this.#run(server, command, operation, timeoutContext)
    this.#watchPool(server.pool)
    // From a cursor, a server leads to the password.
    Object.defineProperty(server, inspect.custom, { value: () => `Server { ${server.name} }` })
    return server
  }

  /** While it is in doubt whether the user still exists, nobody begins to use a connection. */
  #watchPool(pool: Pool): void {
    const { lease } = this.#surroundings
    const checkOut = pool.checkOut.bind(pool)
    pool.checkOut = async (options) => {
      const connection = await checkOut(options)
      this.#noteSocket(socketOf(connection))
      if (lease.current || lease.generation !== this.number) return connection
      await lease.ready().catch(() => {})
      if (lease.generation === this.number) return connection
      pool.checkIn(connection)
      throw new NotSentError()
    }
  }

  #noteSocket(socket: Duplex): void {
    if (this.#sockets.has(socket)) return
    this.#sockets.add(socket)
    socket.once('close', () => this.#sockets.delete(socket))
  }

  async #run(
    server: Server,
    command: Command,
    operation: Operation,
    timeoutContext: unknown,
  ): Promise<unknown> {
    const use = this.#surroundings.useOf(operation)
    if (!use) return await command(operation, timeoutContext)
    const loss = use.lossFor(operation)
    if (loss) throw loss
    this.#begin(use)
    try {
      const sent = await this.#hereOperation(use, operation)
      const response = await command(sent, timeoutContext)
      this.#note(use, sent, response)
      return response
    } catch (error) {
      const elsewhere = await this.#elsewhere(use, server, operation, error)
      return await elsewhere.command(operation, timeoutContext)
    } finally {
      if (operation.commandName === 'killCursors') use.cursorClosed(`${operation.cursorId}`)
      this.#end(use)
    }
  }

  /** Reading on in a change stream that began on another client is opening it here. */
  async #hereOperation(use: SessionUse, operation: Operation): Promise<Operation> {
    const { changeStream } = use
    if (!changeStream || changeStream.generation === this || operation.commandName !== 'getMore')
      return operation
    await changeStream.generation.#closeCursor(use)
    return reopening(changeStream)
  }

  #note(use: SessionUse, operation: Operation, response: unknown): void {
    use.answered()
    if (!isCursorResponse(response)) return
    const { cursorId } = operation
    if (opensChangeStream(operation)) {
      const opened = use.changeStream ?? { opening: operation, token: null, received: false }
      use.changeStream = positionAfter(opened, this, response)
    } else if (use.changeStream) {
      use.changeStream = positionAfter(use.changeStream, this, response)
    } else if (!isZero(response.id)) {
      use.cursorOpened(`${response.id}`)
    } else if (cursorId) {
      use.cursorClosed(`${cursorId}`)
    }
  }

  /** Where an operation can be done that has failed here; throws what the caller is to know when there is no such place. */
  async #elsewhere(use: SessionUse, server: Server, operation: Operation, error: unknown): Promise<Server> {
    const { lease, current } = this.#surroundings
    const reading = use.changeStream && operation.commandName === 'getMore'
    if (this.#ended && !reading) throw this.#ended()
    if (isDenial(error)) lease.suspected(this.number)
    const notSent = error instanceof NotSentError || isPoolCleared(error) || isRefusal(error)
    if (!(notSent ? use.movable : this.#ended)) throw error
    if (isRefusal(error)) await lease.refused(this.number)
    const next = await current()
    if (next === this) throw error
    return await next.#serverAt(server.name)
  }

  async #serverAt(name: string): Promise<Server> {
    const selector = (_description: unknown, servers: readonly { address: string }[]): unknown =>
      servers.filter(({ address }) => address === name)
    return this.#watch(await this.topology.selectServer(selector, { operationName: 'rotation' }))
  }

  async #closeCursor(use: SessionUse): Promise<void> {
    const { changeStream } = use
    if (!changeStream || this.#closedCursors.has(changeStream)) return
    this.#closedCursors.add(changeStream)
    const { db, collection } = changeStream.opening.ns
    const command = { killCursors: collection ?? '$cmd.aggregate', cursors: [changeStream.cursorId] }
    // The server closes it by itself some time after.
    await settlesWithin(this.#client.db(db).command(command), closeWithinMs)
  }

  #begin(use: SessionUse): void {
    use.begin(this)
    this.#uses.add(use)
  }

  #end(use: SessionUse): void {
    use.end()
    if (!use.remembered && !use.changeStream) this.#uses.delete(use)
  }
}

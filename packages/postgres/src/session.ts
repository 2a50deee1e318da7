import { EventEmitter } from 'node:events'
import { isCancelRequest, message, nothingRuns, parametersOf, ServerError } from './messages.ts'
import { TypesAnswer } from './types-answer.ts'
import type { Wire } from './wire.ts'

/** Where the client has a session. */
export interface SessionPlace {
  /** Whether somebody holds it: a transaction, or a reservation. */
  readonly isHeld: boolean
  /** Whether a cursor is being read on it. */
  readonly hasCursor: boolean
  /** What the session begins with is over, where the driver asks for nothing more before it goes on. */
  isReady(): void
  /** Nothing that others ask for is run on it any more. */
  keepFromOthers(): void
  /** What ran on it has failed. */
  isLost(reason: () => Error, hearThatNothingRuns: () => void): void
}

/** Who gives the driver's connections what they need. */
export interface SessionHost {
  /** Gives a connection on which a user is logged in, with these parameters. */
  open(session: Session, parameters: Readonly<Record<string, string>>, signal: AbortSignal): Promise<Wire>
  /** Whether the driver asks for types of arrays when it has heard that the session is ready. */
  readonly asksForTypes: boolean
  /** Has a statement cancelled. */
  cancel(request: Buffer): Promise<void>
  /** The driver hears next that the session is ready. */
  begins(session: Session, wire: Wire): void
  /** The driver has heard it. */
  isReady(session: Session): void
}

/** PortalSuspended. */
const batchIsOver = message('s', '')
const nothing = Buffer.alloc(0)

/**
 * What the driver takes for its socket. It lets the driver go through what a session begins with, while the login itself, and
 * what it waits for, is done here; from then on it hands on what comes and goes.
 *
 * When the connection is lost under somebody who holds it, the driver hears of the end only when he has come back: it would give
 * its place to others, and then run on their connection what he still has to say.
 */
export class Session extends EventEmitter {
  readonly #host: SessionHost
  readonly #stop = new AbortController()
  #wire: Wire | undefined
  #begun = false
  #isOver = false
  #isClosed = false
  #isLetGo = false
  /** What the server has said last, since the driver has said something. */
  #lastSaid = nothing
  #onWrite: (() => void) | undefined
  /** While the driver waits for it. */
  #types: TypesAnswer | undefined
  /** Where the client has it, once it is known. */
  slot: SessionPlace | undefined
  /** Why nothing can be asked any more. */
  reason: (() => Error) | undefined
  /** The driver has something to write that it has not written yet: it would not survive the end. */
  isUnflushed = false

  constructor(host: SessionHost) {
    super()
    this.#host = host
  }

  get wire(): Wire | undefined {
    return this.#wire
  }

  /** As of a socket. */
  get readyState(): 'open' | 'closed' {
    return this.#isOver ? 'closed' : 'open'
  }

  write(chunk: Buffer, written?: () => void): boolean {
    this.isUnflushed = false
    this.#lastSaid = nothing
    if (this.#onWrite) queueMicrotask(this.#onWrite)
    if (this.#isOver) return true
    if (this.#wire) return this.#wire.socket.write(chunk, written)
    if (!this.#begun) void this.#begin(chunk)
    return true
  }

  /** The driver says farewell. */
  end(): void {
    if (this.#wire) void this.#wire.leave()
    else this.destroy()
  }

  destroy(): void {
    this.#stop.abort(new Error('The connection was given up before it was opened.'))
    if (this.#wire) this.#wire.socket.destroy()
    else this.#over(undefined)
  }

  pause(): void {
    this.#wire?.socket.pause()
  }

  resume(): void {
    this.#wire?.socket.resume()
  }

  /** Fails what runs on it, and ends it. Resolves when the server has closed it. */
  async closeUnderHolder(reason: () => Error, cancel: () => Promise<void>): Promise<void> {
    const wire = this.#wire
    if (!wire) return
    this.#fail(reason)
    await cancel().catch(() => {})
    await wire.end()
  }

  /** Whoever has held it has come back. */
  letGo(): void {
    this.#isLetGo = true
    this.#onWrite = undefined
    if (this.#isOver) this.#emitClose()
  }

  /** The driver is about to fail whatever it waits for. */
  doWithoutTypes(): void {
    if (this.#types) this.#tells(nothingRuns)
  }

  async #begin(first: Buffer): Promise<void> {
    this.#begun = true
    try {
      if (isCancelRequest(first)) {
        await this.#host.cancel(first)
        return this.#over(undefined)
      }
      const wire = await this.#host.open(this, parametersOf(first), this.#stop.signal)
      if (this.#stop.signal.aborted) return void wire.leave()
      this.#use(wire)
    } catch (error) {
      // The driver makes its own error of what the server has said.
      if (error instanceof ServerError && !this.#isOver) this.emit('data', error.response)
      this.#over(error instanceof Error ? error : new Error(String(error)))
    }
  }

  #use(wire: Wire): void {
    this.#wire = wire
    wire.listen({
      data: (chunk) => this.#hears(chunk),
      drained: () => this.emit('drain'),
      closed: (error) => this.#over(error),
    })
    this.emit('data', wire.greeting.bytes)
    this.#host.begins(this, wire)
    if (this.#host.asksForTypes) this.#types = new TypesAnswer()
    this.emit('data', wire.greeting.ready)
    this.#host.isReady(this)
  }

  #over(error: Error | undefined): void {
    if (this.#isOver) return
    const left = this.#wire?.isLeaving === true || (this.#wire === undefined && error === undefined)
    if (!left) this.#fail(() => error ?? connectionClosed())
    this.#isOver = true
    if (!left && !this.#isLetGo && this.#isHeld) {
      // A cursor that is read on hears of it then.
      this.#onWrite ??= () => this.#tell()
      return
    }
    this.#emitClose()
  }

  /** What runs fails, and so does what still comes. */
  #fail(reason: () => Error): void {
    if (this.reason) return
    this.reason = reason
    this.slot?.keepFromOthers()
    if (this.#isBetweenBatches) {
      this.#onWrite = () => this.#tell()
      return
    }
    this.#deliver(reason)
  }

  #hears(chunk: Buffer): void {
    const heard = this.#types ? this.#types.hears(chunk) : chunk
    if (!heard) return
    this.#remember(heard)
    this.#tells(heard)
  }

  #tells(heard: Buffer): void {
    this.#types = undefined
    // It may answer in its turn.
    this.isUnflushed = true
    this.emit('data', heard)
  }

  #remember(chunk: Buffer): void {
    // A warning may follow, as when the server is shut down.
    if (this.slot?.hasCursor !== true || this.#isBetweenBatches) return
    this.#lastSaid = Buffer.concat([this.#lastSaid, chunk]).subarray(-batchIsOver.length)
  }

  /** The driver has the rows of a cursor that it has asked for, and asks for the next when they are read. */
  get #isBetweenBatches(): boolean {
    return this.slot?.hasCursor === true && this.#lastSaid.equals(batchIsOver)
  }

  #deliver(reason: () => Error): void {
    this.doWithoutTypes()
    this.emit('error', reason())
    this.slot?.isLost(reason, () => this.emit('data', nothingRuns))
  }

  #tell(): void {
    if (!this.reason) return
    this.#onWrite = undefined
    this.#deliver(this.reason)
    if (this.#isOver && !this.#isHeld) this.#emitClose()
  }

  get #isHeld(): boolean {
    return this.slot !== undefined && (this.slot.isHeld || this.#onWrite !== undefined)
  }

  #emitClose(): void {
    if (this.#isClosed) return
    if (this.isUnflushed) {
      this.isUnflushed = false
      setImmediate(() => this.#emitClose())
      return
    }
    this.#isClosed = true
    this.emit('close', this.reason !== undefined)
  }
}

/** What the driver itself says of a connection that the server has closed. */
export function connectionClosed(): Error {
  return Object.assign(new Error('write CONNECTION_CLOSED'), {
    code: 'CONNECTION_CLOSED',
    errno: 'CONNECTION_CLOSED',
  })
}

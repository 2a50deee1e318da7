import type { Backend, DriverConnection, DriverQuery } from './driver.ts'
import { connectionClosed, type Session, type SessionPlace } from './session.ts'

type Fate = 'keep' | 'close'

/** What a slot tells of what it sees. */
export interface SlotHooks {
  /** The server has denied a statement to the user of the session. */
  denied(slot: Slot): void
  /** What is to become of a connection that was denied a statement, and that nobody uses. */
  fateOf(slot: Slot): Fate | Promise<Fate>
  /** A connection is about to be asked for its user. What it says is true of all of them. */
  asks(slot: Slot, fate: Promise<Fate>): void
  /** Nobody uses a connection: whoever waits may have it. */
  freed(connection: DriverConnection): void
}

/** Asks a connection who it is. */
export class Probe implements DriverQuery {
  found: Slot | undefined = undefined
  reject(): void {}
  /** A transaction listens to its queries. */
  catch(): void {}
}

const insufficientPrivilege = '42501'
/** In no list of the client's: nothing is run on it that others ask for. */
const apart: DriverConnection['queue'] = { remove: () => null, push: () => undefined }

/** A place for a connection of the client, with what is needed of it here. */
export class Slot implements SessionPlace {
  readonly connection: DriverConnection
  readonly backend: Backend
  session: Session | undefined
  state: 'closed' | 'busy' | 'idle' = 'busy'
  readonly #hooks: SlotHooks
  readonly #end: () => Promise<void>
  /** While it has the connection for itself, to ask it something. */
  #ownHold: DriverConnection['reserved']
  /** Gives it to who waits for it. */
  #claim: (() => void) | undefined
  /** Called when it can be asked, while it is to be. */
  #asking: (() => void) | undefined
  #cursor: DriverQuery | undefined
  #isEnding = false
  #isDenied = false
  #onEnded: (() => void) | undefined
  /** Queries that came when it was lost. */
  #refused = 0

  constructor(connection: DriverConnection, backend: Backend, hooks: SlotHooks) {
    this.connection = connection
    this.backend = backend
    this.#hooks = hooks
    const { connect, execute, end, terminate, idleTimer } = connection
    this.#end = end
    connection.connect = (first) => {
      this.state = 'busy'
      if (first.reserve) this.#waitsFor(first)
      else this.#goesTo(first)
      connect(first)
    }
    connection.execute = (query) => this.#execute(query, execute)
    connection.terminate = () => {
      this.session?.doWithoutTypes()
      terminate()
    }
    connection.end = () => (this.#onEnded ? this.#endWhenServed() : this.#end())
    connection.idleTimer = {
      start: () => {
        this.state = 'idle'
        idleTimer.start()
        this.#isIdle()
      },
      cancel: () => {
        if (this.state === 'idle') this.state = 'busy'
        idleTimer.cancel()
      },
    }
  }

  get isHeld(): boolean {
    const { reserved } = this.connection
    return Boolean(reserved) && reserved !== this.#ownHold
  }

  get hasCursor(): boolean {
    return this.#cursor?.active === true
  }

  /** Told to end. */
  get isEnding(): boolean {
    return this.#isEnding
  }

  /** A session has begun on it. */
  begins(session: Session): void {
    this.session = session
    session.slot = this
    this.#isEnding = false
    this.#isDenied = false
    this.#asking = undefined
  }

  isReady(): void {
    this.#claim?.()
  }

  /** The driver has taken note that the connection is closed. */
  closed(): void {
    this.state = 'closed'
    this.session = undefined
    this.#cursor = undefined
    this.#claim = undefined
    // Lost while somebody held it: the driver would still have the next one on it to end.
    if (this.#isEnding) this.connection.terminate()
    this.#isEnding = false
    if (this.#onEnded) setImmediate(() => this.#endIfServed())
  }

  /** Ends it when what runs on it is done. What waits in the client goes to others. */
  leave(): void {
    if (this.#isEnding || !this.session) return
    this.#isEnding = true
    void this.#end()
  }

  /** From now on `end()` has what waits in the client served before. */
  serveBeforeEnd(): void {
    this.#onEnded ??= () => {}
  }

  keepFromOthers(): void {
    const { connection } = this
    connection.idleTimer.cancel()
    connection.queue.remove(connection)
    connection.queue = apart
  }

  /**
   * What ran on it has failed. The driver would not forget it, nor an error that the server has sent, and would have the first
   * statement on the next connection fail for it: it does when it hears that nothing runs.
   */
  isLost(reason: () => Error, hearThatNothingRuns: () => void): void {
    const { connection } = this
    const { reserved } = connection
    connection.reserved = Object.assign(() => {}, { release: true })
    hearThatNothingRuns()
    connection.reserved = reserved ?? null
    if (!this.isHeld) return
    // What waits behind what ran in a transaction, or on a connection of one's own, is given out one after another.
    for (let refused = -1; refused !== this.#refused; ) {
      refused = this.#refused
      reserved?.()
    }
    connection.onclose?.(reason())
    connection.onclose = null
  }

  #endWhenServed(): Promise<void> {
    return new Promise((resolve) => {
      this.#onEnded = resolve
      this.#endIfServed()
    })
  }

  #endIfServed(): void {
    const ended = this.#onEnded
    if (this.state === 'closed') {
      // The driver itself would wait for what ran on it when it was lost.
      ended?.()
    } else if (this.state === 'idle') {
      this.#isEnding = true
      this.#end().then(ended, ended)
    }
  }

  #execute(query: DriverQuery, execute: DriverConnection['execute']): unknown {
    if (query instanceof Probe) {
      query.found = this
      return true
    }
    const { session } = this
    if (!session || session.reason) {
      this.#refused++
      query.reject(session?.reason?.() ?? connectionClosed())
      return true
    }
    this.#goesTo(query)
    session.isUnflushed = true
    return execute(query)
  }

  /**
   * Who waits for a connection of his own gets this one. The driver forgets him, when it opens a connection in the place of one
   * that has ended.
   */
  #waitsFor(waiting: DriverQuery): void {
    const { connection } = this
    const give = waiting.reserve
    let isGiven = false
    const goOn = (each: DriverConnection): void => {
      each.reserved = null
      this.#hooks.freed(each)
    }
    waiting.reserve = (taken) => {
      // He may have got another one first.
      if (isGiven) return setImmediate(goOn, taken)
      isGiven = true
      return give?.(taken)
    }
    this.#claim = () => {
      this.#claim = undefined
      if (isGiven) return goOn(connection)
      connection.reserved = null
      waiting.reserve?.(connection)
    }
    this.#hold(() => this.#claim?.())
  }

  #goesTo(query: DriverQuery): void {
    if (query.cursorFn) this.#cursor = query
    const { reject } = query
    query.reject = (error) => {
      if ((error as { code?: unknown } | null)?.code === insufficientPrivilege) this.#wasDenied()
      return reject(error)
    }
  }

  /** Runs nothing more on it until another connection of the same user has said whether that one exists. */
  pause(fate: Promise<Fate>): void {
    const { connection, session } = this
    if (!session?.wire || session.reason || connection.reserved || this.#isEnding) return
    let isQuiet = this.state === 'idle'
    const hold = this.#hold(() => {
      isQuiet = true
    })
    void fate.then((known) => {
      if (connection.reserved !== hold) return
      if (known === 'keep') return this.#goOn(session)
      this.#hooks.denied(this)
      this.#hold(() => void this.#decide())
      if (isQuiet) void this.#decide()
    })
  }

  #wasDenied(): void {
    this.#hooks.denied(this)
    if (this.isHeld) this.#isDenied = true
    else this.#ask()
  }

  /** Has it asked as soon as nothing runs on it. */
  #ask(): () => void {
    if (this.#asking) return this.#asking
    let isQuiet = (): void => {}
    const quiet = new Promise<void>((resolve) => {
      isQuiet = resolve
    })
    this.#asking = isQuiet
    this.#hold(isQuiet)
    this.#hooks.asks(
      this,
      quiet.then(() => this.#decide()),
    )
    return isQuiet
  }

  /** Has it for itself from when nothing runs on it. */
  #hold(isQuiet: () => void): DriverConnection['reserved'] {
    this.keepFromOthers()
    this.#ownHold = Object.assign(() => isQuiet(), { release: true })
    this.connection.reserved = this.#ownHold
    return this.#ownHold
  }

  async #decide(): Promise<Fate> {
    const { connection, session } = this
    const hold = this.#ownHold
    const fate = await this.#hooks.fateOf(this)
    this.#asking = undefined
    if (connection.reserved !== hold || !session) return fate
    if (fate === 'keep' || session.reason) this.#goOn(session)
    else this.#terminate()
    return fate
  }

  /** Whoever waits gets it, when nothing runs on it. */
  #goOn(session: Session): void {
    this.connection.reserved = null
    if (session.reason) session.letGo()
    else if (this.#isEnding) this.#terminate()
    else session.emit('drain')
  }

  #isIdle(): void {
    if (this.#isEnding) {
      this.#terminate()
    } else if (this.#isDenied) {
      this.#isDenied = false
      this.#ask()()
    } else if (this.#onEnded) {
      this.#endIfServed()
    }
  }

  #terminate(): void {
    this.keepFromOthers()
    this.connection.reserved = null
    this.connection.terminate()
  }
}

import type { LeaseManager } from '@vault-lease/core'
import { type CheckedOut, Checkout, endPool, type Fate, systemClock } from '@vault-lease/core/adapter'
import {
  closeWhenIdle,
  connectAgain,
  MariaDbConnections,
  type MariaDbDriver,
  type Method,
  type Session,
} from '@vault-lease/mariadb/adapter'
import type { ConnectionConfig, PoolConnection, QueryOptions } from 'mariadb'
import { Places, type PlaceTaker } from './places.ts'
import type { PoolOptions } from './pool-options.ts'
import { TimeLimit } from './time-limit.ts'

/** What the pool is made of. */
export interface PoolParts {
  readonly driver: MariaDbDriver
  readonly config: ConnectionConfig
  readonly options: PoolOptions
  readonly lease: LeaseManager
  readonly ownsLease: boolean
}

/** An acquire that is not served at once. */
class Search implements PlaceTaker<Session> {
  readonly done: CheckedOut<Session>
  readonly #onPlace: (search: Search, idle: Session | undefined) => void

  constructor(done: CheckedOut<Session>, onPlace: (search: Search, idle: Session | undefined) => void) {
    this.done = done
    this.#onPlace = onPlace
  }

  fill(idle: Session | undefined): void {
    this.#onPlace(this, idle)
  }
}

/** Single connections of mariadb, and as much of a pool around them as Prisma's adapter uses. */
export class LeasedPool {
  readonly #lease: LeaseManager
  readonly #ownsLease: boolean
  readonly #options: PoolOptions
  readonly #places: Places<Session>
  readonly #connections: MariaDbConnections
  readonly #checkout: Checkout<Session>
  readonly #searching: TimeLimit<Search>
  readonly #ending = new AbortController()
  #cancelIdleTimer: (() => void) | undefined
  #ended: Promise<void> | undefined

  constructor({ driver, config, options, lease, ownsLease }: PoolParts) {
    this.#lease = lease
    this.#ownsLease = ownsLease
    this.#options = options
    this.#places = new Places(options.connectionLimit)
    this.#searching = new TimeLimit(options.acquireTimeoutMs, (search) => {
      this.#places.leave(search)
      search.done(noConnectionWithin(options.acquireTimeoutMs), undefined)
    })
    const hooks = {
      max: () => options.connectionLimit,
      giveUpOne: async () => this.#close(await this.#places.takeOccupied()),
      drainIdle: () => this.#closeIdle((session) => this.#isStale(session)),
      load: () => ({ idle: this.#places.idle.length, waiting: this.#places.waiting }),
    }
    this.#connections = new MariaDbConnections(lease, hooks, driver, config, options.initializationTimeoutMs)
    this.#checkout = new Checkout(this.#connections.attachment, {
      take: (done) => this.#take(done),
      hasIdle: () => this.#hasFresh(),
      giveBack: (session) => this.#takeBack(session),
      isStale: (session) => this.#isStale(session),
      closeStale: (session) => void this.#close(session),
      worthConnectingAgain: (error, wait) => this.#connections.worthConnectingAgain(error, wait),
      patienceMs: () => options.acquireTimeoutMs,
      tooLate: () => noConnectionWithin(options.acquireTimeoutMs),
    })
  }

  getConnection(): Promise<PoolConnection> {
    return new Promise((resolve, reject) => {
      this.#acquire((error, session) => (session ? resolve(session.lend()) : reject(error)))
    })
  }

  query(statement: QueryOptions, values?: unknown): Promise<unknown> {
    return this.#run('query', statement, values)
  }

  execute(statement: QueryOptions, values?: unknown): Promise<unknown> {
    return this.#run('execute', statement, values)
  }

  /** Lets the queue be served and connections be released, and closes the lease if it is the pool's. */
  end(): Promise<void> {
    this.#ended ??= this.#end()
    return this.#ended
  }

  #run(method: Method, statement: QueryOptions, values: unknown): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#acquire((error, session) => {
        if (!session) return reject(error)
        session.run(method, [statement, values], (failure, result) => {
          this.#takeBack(session)
          if (failure === undefined) resolve(result)
          else reject(failure)
        })
      })
    })
  }

  #acquire(done: CheckedOut<Session>): void {
    if (this.#ended) done(new Error('The pool is closed.'), undefined)
    else this.#checkout.acquire(done)
  }

  #take(done: CheckedOut<Session>): void {
    const idle = this.#places.takeIdle()
    if (idle && this.#isFresh(idle)) done(undefined, idle)
    else this.#find(idle, done)
  }

  /** Waits for a place and for a connection in it, for no longer than an acquire may take. */
  #find(taken: Session | undefined, done: CheckedOut<Session>): void {
    const search = new Search(done, this.#onPlace)
    this.#searching.add(search)
    if (taken) search.fill(taken)
    else this.#places.take(search)
  }

  readonly #onPlace = (search: Search, idle: Session | undefined): void => {
    if (idle && this.#isFresh(idle)) this.#found(search, idle)
    else
      this.#fill(idle).then(
        (session) => this.#found(search, session),
        (error) => this.#searching.delete(search) && search.done(error, undefined),
      )
  }

  #found(search: Search, session: Session): void {
    if (this.#searching.delete(search)) search.done(undefined, session)
    else this.#takeBack(session)
  }

  /** For a place that is taken: the connection in it if it answers, else a new one. */
  async #fill(idle: Session | undefined): Promise<Session> {
    try {
      if (idle && (await idle.answersWithin(this.#options.pingTimeoutMs))) return idle
      if (idle) await left(idle)
      return await this.#open()
    } catch (error) {
      this.#places.vacate()
      throw error
    }
  }

  #hasFresh(): boolean {
    const next = this.#places.idle.at(-1)
    return next !== undefined && this.#isFresh(next)
  }

  /** Whether it was used so lately that it need not be asked. */
  #isFresh({ connection, idleSince }: Session): boolean {
    const { minDelayValidationMs } = this.#options
    if (minDelayValidationMs <= 0 || !connection.isValid()) return false
    return systemClock.now() - idleSince <= minDelayValidationMs
  }

  #open(): Promise<Session> {
    const terms = { forMs: this.#options.initializationTimeoutMs, signal: this.#ending.signal }
    return connectAgain(() => this.#openOnce(), terms)
  }

  async #openOnce(): Promise<Session> {
    for (let room = this.#connections.whenRoom(); room; room = this.#connections.whenRoom()) await room
    const session = await this.#connections.open()
    session.lendBy(() => this.#release(session))
    // A connection that is lost leaves its place; Prisma 6 forgets the one of a transaction.
    void session.socket.whenClosed.then(() => {
      if (this.#places.takePlaceOf(session)) this.#places.vacate()
      else void session.connection.release()
    })
    return session
  }

  /** A holder has given it back, in whatever state. */
  async #release(session: Session): Promise<void> {
    try {
      await this.#tidy(session)
    } catch {
      return void this.#close(session)
    }
    this.#takeBack(session)
  }

  async #tidy({ connection }: Session): Promise<void> {
    if (this.#options.noControlAfterUse) return
    const { info } = connection
    const canReset = info?.isMariaDB() && info.hasMinVersion(10, 3, 13)
    // A rollback is sent only when a transaction was left open.
    await (this.#options.resetAfterUse && canReset ? connection.reset() : connection.rollback())
  }

  #takeBack(session: Session): void {
    const fate = this.#fateOf(session)
    if (fate === 'keep') this.#putBack(session)
    else if (fate === 'close') void this.#close(session)
    else
      fate.then(
        (decided) => (decided === 'keep' ? this.#putBack(session) : this.#close(session)),
        () => this.#close(session),
      )
  }

  #fateOf(session: Session): Fate | Promise<Fate> {
    if (this.#ended || !session.connection.isValid()) return 'close'
    if (session.isInTransaction && !this.#options.noControlAfterUse)
      return this.#tidy(session).then(() => this.#connections.fateOf(session.socket))
    return this.#connections.fateOf(session.socket)
  }

  #putBack(session: Session): void {
    session.idleSince = systemClock.now()
    this.#places.giveBack(session)
    if (!this.#cancelIdleTimer) this.#watchIdle()
  }

  /** One timer for the one that is idle for longest. */
  #watchIdle(): void {
    const { idleTimeoutMs } = this.#options
    const [oldest] = this.#places.idle
    if (!oldest || idleTimeoutMs === undefined) return
    const ms = oldest.idleSince + idleTimeoutMs - systemClock.now()
    this.#cancelIdleTimer = systemClock.schedule(ms, () => {
      this.#cancelIdleTimer = undefined
      const limit = systemClock.now() - idleTimeoutMs
      this.#closeIdle(({ idleSince }) => idleSince <= limit)
      this.#watchIdle()
    })
  }

  #isStale({ socket }: Session): boolean {
    return this.#connections.isStale(socket)
  }

  #closeIdle(which: (session: Session) => boolean): void {
    for (const session of this.#places.idle.filter(which)) {
      if (this.#places.takePlaceOf(session)) void this.#close(session)
    }
  }

  /** The connection keeps its place until the server has closed it, so that the limit holds on both sides. */
  async #close(session: Session): Promise<void> {
    await closeWhenIdle(session)
    this.#places.vacate()
  }

  async #end(): Promise<void> {
    this.#ending.abort()
    await endPool({
      lease: this.#lease,
      ownsLease: this.#ownsLease,
      attachment: this.#connections.attachment,
      serveQueue: (withinMs) => this.#checkout.end(withinMs, () => new Error('The pool is closed.')),
      closeIdle: () => this.#closeIdle(() => true),
      allClosed: () => this.#connections.allClosed(),
    })
    this.#cancelIdleTimer?.()
    this.#searching.clear()
  }
}

/** Does not wait for a farewell of somebody who does not answer. */
async function left({ socket }: Session): Promise<void> {
  socket.abandon()
  await socket.whenClosed
}

function noConnectionWithin(ms: number): Error {
  return new Error(
    `No connection became free within ${ms} ms: release connections sooner, or raise "connectionLimit" or "acquireTimeout".`,
  )
}

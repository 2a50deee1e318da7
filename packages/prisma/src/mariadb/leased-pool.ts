import type { LeaseManager } from '@vault-lease/core'
import { Checkout, endPool, systemClock } from '@vault-lease/core/adapter'
import type { ConnectionConfig, PoolConnection, QueryOptions } from 'mariadb'
import { closeWhenIdle, MariaDbConnections, type MariaDbDriver, type Session } from './connections.ts'
import { lend } from './loan.ts'
import { Places } from './places.ts'

/** The options of the pool itself. */
export interface PoolLimits {
  readonly connectionLimit: number
  readonly acquireTimeoutMs: number
  /** None: for ever. */
  readonly idleTimeoutMs: number | undefined
}

/** What the pool is made of. */
export interface PoolParts {
  readonly driver: MariaDbDriver
  readonly config: ConnectionConfig
  readonly limits: PoolLimits
  readonly lease: LeaseManager
  readonly ownsLease: boolean
}

/** Single connections of mariadb, and as much of a pool around them as Prisma's adapter uses. */
export class LeasedPool {
  readonly #lease: LeaseManager
  readonly #ownsLease: boolean
  readonly #limits: PoolLimits
  readonly #places: Places<Session>
  readonly #connections: MariaDbConnections
  readonly #checkout: Checkout<Session>
  readonly #cancelIdle = new WeakMap<Session, () => void>()
  #ended: Promise<void> | undefined

  constructor({ driver, config, limits, lease, ownsLease }: PoolParts) {
    this.#lease = lease
    this.#ownsLease = ownsLease
    this.#limits = limits
    this.#places = new Places(limits.connectionLimit)
    const hooks = {
      max: () => limits.connectionLimit,
      giveUpOne: () => this.#giveUpOne(),
      drainIdle: () => this.#closeIdle((session) => this.#isStale(session)),
    }
    this.#connections = new MariaDbConnections(lease, hooks, driver, config)
    this.#checkout = new Checkout(this.#connections.attachment, {
      take: (done) => {
        this.#take().then(
          (session) => done(undefined, session),
          (error) => done(error, undefined),
        )
      },
      giveBack: (session) => this.#putBack(session),
      isStale: (session) => this.#isStale(session),
      closeStale: (session) => void this.#close(session),
      worthConnectingAgain: (error, wait) => this.#connections.worthConnectingAgain(error, wait),
      patienceMs: () => limits.acquireTimeoutMs,
      tooLate: () => noConnectionWithin(limits.acquireTimeoutMs),
    })
  }

  async getConnection(): Promise<PoolConnection> {
    if (this.#ended) throw new Error('The pool is closed.')
    const session = await new Promise<Session>((resolve, reject) => {
      this.#checkout.acquire((error, taken) => (taken ? resolve(taken) : reject(error)))
    })
    const loan = lend(session.connection, {
      onError: (error) => this.#connections.noteError(session, error),
      onReturn: () => this.#takeBack(session),
    })
    session.loan = loan
    // Prisma 6 forgets the connection of a transaction that is lost.
    void session.socket.whenClosed.then(() => loan.connection.release())
    return loan.connection
  }

  query(options: QueryOptions, values?: unknown): Promise<unknown> {
    return this.#withConnection((connection) => connection.query(options, values))
  }

  execute(options: QueryOptions, values?: unknown): Promise<unknown> {
    return this.#withConnection((connection) => connection.execute(options, values))
  }

  /** Lets the queue be served and connections be released, and closes the lease if it is the pool's. */
  end(): Promise<void> {
    this.#ended ??= this.#end()
    return this.#ended
  }

  async #withConnection(use: (connection: PoolConnection) => Promise<unknown>): Promise<unknown> {
    const connection = await this.getConnection()
    return await use(connection).finally(() => connection.release())
  }

  async #take(): Promise<Session> {
    const { acquireTimeoutMs: ms } = this.#limits
    const idle = await this.#places.take({ ms, error: () => noConnectionWithin(ms) })
    if (idle) {
      this.#cancelIdle.get(idle)?.()
      return idle
    }
    try {
      for (let room = this.#connections.whenRoom(); room; room = this.#connections.whenRoom()) await room
      return await this.#open()
    } catch (error) {
      this.#places.vacate()
      throw error
    }
  }

  async #open(): Promise<Session> {
    const session = await this.#connections.open()
    // A connection that is lost while nobody uses it leaves its place.
    void session.socket.whenClosed.then(() => {
      if (this.#places.takeIdle(session)) this.#places.vacate()
    })
    return session
  }

  async #takeBack(session: Session): Promise<void> {
    session.loan = undefined
    // Like the driver's own pool. It is sent when a transaction was left open, and fails when the connection is lost.
    await session.connection.rollback().catch(() => {})
    const fate = await this.#connections.fateOf(session.socket)
    if (this.#ended || !session.connection.isValid() || fate === 'close') await this.#close(session)
    else this.#putBack(session)
  }

  #putBack(session: Session): void {
    const { idleTimeoutMs } = this.#limits
    if (idleTimeoutMs !== undefined) {
      const closeIt = (): void => this.#closeIdle((each) => each === session)
      this.#cancelIdle.set(session, systemClock.schedule(idleTimeoutMs, closeIt))
    }
    this.#places.giveBack(session)
  }

  #isStale({ socket }: Session): boolean {
    return this.#connections.isStale(socket)
  }

  #closeIdle(which: (session: Session) => boolean): void {
    for (const session of this.#places.idle.filter(which)) {
      if (this.#places.takeIdle(session)) void this.#close(session)
    }
  }

  /** The connection keeps its place until the server has closed it, so that the limit holds on both sides. */
  async #close(session: Session): Promise<void> {
    this.#cancelIdle.get(session)?.()
    await closeWhenIdle(session).finally(() => this.#places.vacate())
  }

  async #giveUpOne(): Promise<void> {
    const idle = await this.#places.take()
    if (idle) await closeWhenIdle(idle)
    this.#places.vacate()
  }

  async #end(): Promise<void> {
    await endPool({
      lease: this.#lease,
      ownsLease: this.#ownsLease,
      attachment: this.#connections.attachment,
      serveQueue: (withinMs) => this.#checkout.end(withinMs, () => new Error('The pool is closed.')),
      closeIdle: () => this.#closeIdle(() => true),
      allClosed: () => this.#connections.allClosed(),
    })
  }
}

function noConnectionWithin(ms: number): Error {
  return new Error(
    `No connection became free within ${ms} ms: release connections sooner, or raise "connectionLimit" or "acquireTimeout".`,
  )
}

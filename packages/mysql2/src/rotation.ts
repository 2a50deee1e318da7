import { setImmediate } from 'node:timers/promises'
import type { LeaseManager } from '@vault-lease/core'
import { type CheckedOut, Checkout, endPool, type Fate } from '@vault-lease/core/adapter'
import { HeldPlaces } from './admission.ts'
import { MySqlConnections, type MySqlPlace } from './connections.ts'
import { asPooledConnection, asUnderlyingPool, type PooledConnection, type UnderlyingPool } from './driver.ts'

type Taken = CheckedOut<PooledConnection>
type Ended = (error?: Error) => void

/** A mysql2 pool, with overrides that open, check out and release its connections by generation. */
export class PoolRotation {
  readonly pool: UnderlyingPool
  readonly #lease: LeaseManager
  readonly #ownsLease: boolean
  readonly #connections: MySqlConnections
  readonly #checkout: Checkout<PooledConnection>
  readonly #original: Pick<UnderlyingPool, 'getConnection' | 'releaseConnection' | 'end'>
  readonly #idle = new Set<PooledConnection>()
  readonly #closing = new WeakSet<PooledConnection>()
  readonly #places: HeldPlaces
  #givenBack: PooledConnection | undefined
  #closingIdle = false
  #ended: Promise<void> | undefined

  constructor({ driver, options }: MySqlPlace, { lease, owned }: { lease: LeaseManager; owned: boolean }) {
    const connections = new MySqlConnections(
      lease,
      {
        max: () => this.pool.config.connectionLimit || Number.POSITIVE_INFINITY,
        giveUpOne: () => this.#giveUpOne(),
        drainIdle: () => this.#drainIdle(),
      },
      { driver, options },
    )
    const pool = asUnderlyingPool(driver.createPool({ ...options, stream: connections.stream }))
    this.pool = pool
    this.#lease = lease
    this.#ownsLease = owned
    this.#connections = connections
    this.#places = new HeldPlaces(pool.config)
    this.#original = {
      getConnection: pool.getConnection.bind(pool),
      releaseConnection: pool.releaseConnection.bind(pool),
      end: pool.end.bind(pool),
    }
    this.#checkout = new Checkout(connections.attachment, {
      take: (done) => this.#take(done),
      giveBack: (connection) => connection.release(),
      isStale: (connection) => connections.isConnectionStale(connection),
      closeStale: (connection) => this.#closeStale(connection),
      worthConnectingAgain: (error, wait) => connections.worthConnectingAgain(error, wait),
      // 0 is no limit.
      patienceMs: () => pool.config.connectionConfig.connectTimeout || undefined,
    })
    pool.on('release', (connection) => this.#becameIdle(asPooledConnection(connection)))
    pool.on('acquire', (connection) => this.#idle.delete(asPooledConnection(connection)))
    pool.getConnection = (done) => this.#getConnection(done)
    pool.releaseConnection = (connection) => this.#releaseConnection(connection)
    pool.end = (ended?: Ended) => this.#end(ended)
  }

  #getConnection(done: Taken): void {
    if (this.#ended) process.nextTick(done, new Error('Pool is closed.'))
    else this.#checkout.acquire(done)
  }

  /** Takes a connection from the pool itself, which may open one when there is room. */
  #take(done: Taken): void {
    const room = this.#idle.size === 0 ? this.#connections.whenRoom() : undefined
    if (room) void room.then(() => this.#take(done))
    else this.#takeNow(done)
  }

  #takeNow(done: Taken): void {
    let opened: ReturnType<MySqlConnections['openedBy']>
    const taken: Taken = (error, connection) => {
      if (opened && connection) this.#connections.adopt(opened, connection)
      else if (opened && error) this.#connections.noteError(opened, error)
      done(error, connection)
    }
    opened = this.#connections.openedBy(() => this.#original.getConnection(taken))
  }

  #releaseConnection(connection: PooledConnection): void {
    const isLost = connection._pool === null
    const fate = isLost || this.#closingIdle ? 'close' : this.#connections.fateOfConnection(connection)
    if (typeof fate === 'string') this.#meet(fate, connection)
    else void fate.then((known) => this.#meet(known, connection))
  }

  #meet(fate: Fate, connection: PooledConnection): void {
    if (connection._pool === null) this.#passOnPlaceOf(connection)
    else if (fate === 'keep' && !this.#closingIdle) this.#giveBack(connection)
    else this.#closeStale(connection)
  }

  #giveBack(connection: PooledConnection): void {
    this.#givenBack = connection
    this.#original.releaseConnection(connection)
    this.#givenBack = undefined
  }

  /** The connection has left the pool, which asks itself for another one on behalf of whoever is next. */
  #passOnPlaceOf(connection: PooledConnection): void {
    this.#idle.delete(connection)
    const { getConnection } = this.pool
    this.pool.getConnection = (done) => this.#take(done)
    this.#original.releaseConnection(connection)
    this.pool.getConnection = getConnection
  }

  #becameIdle(connection: PooledConnection): void {
    if (this.#closing.has(connection)) return
    this.#idle.add(connection)
    if (connection === this.#givenBack) return
    // The pool was resetting it, perhaps while the idle ones were closed.
    if (this.#isDone(connection)) this.#drainIdle()
  }

  #isDone(connection: PooledConnection): boolean {
    return this.#closingIdle || this.#connections.isConnectionStale(connection)
  }

  #closeStale(connection: PooledConnection): void {
    const vacate = this.#vacating(connection, this.#places.hold())
    this.#empty(connection).then(vacate, vacate)
  }

  /** The connection keeps its place in the pool until the server has closed it, so that `max` holds on both sides. */
  async #empty(connection: PooledConnection): Promise<void> {
    this.#closing.add(connection)
    // Whoever counts has counted it as acquired.
    this.pool.emit('release', connection)
    await this.#connections.closeWhenIdle(connection)
  }

  #vacating(connection: PooledConnection, letGo: () => void): () => void {
    return () => {
      connection.destroy()
      letGo()
    }
  }

  async #giveUpOne(): Promise<void> {
    const letGo = this.#places.hold()
    try {
      const connection = await new Promise<PooledConnection>((resolve, reject) => {
        this.#takeNow((error, taken) => (taken ? resolve(taken) : reject(error)))
      })
      await this.#empty(connection)
      connection.destroy()
    } finally {
      letGo()
    }
  }

  #drainIdle(): void {
    for (let idle = this.#idle.size; idle > 0; idle--) {
      // The pool hands it over a moment later.
      const letGo = this.#places.hold()
      this.#take((_error, connection) => {
        connection?.release()
        letGo()
      })
    }
  }

  #end(ended?: Ended): Promise<void> {
    this.#ended ??= this.#close()
    if (ended) this.#ended.then(() => ended(), ended)
    return this.#ended
  }

  /** The driver's own end() would break what is running and reject what is queued. */
  async #close(): Promise<void> {
    await endPool({
      lease: this.#lease,
      ownsLease: this.#ownsLease,
      attachment: this.#connections.attachment,
      serveQueue: (withinMs) => this.#checkout.end(withinMs, () => new Error('Pool is closed.')),
      closeIdle: () => {
        this.#closingIdle = true
        this.#drainIdle()
      },
      allClosed: () => this.#connections.allClosed(),
    })
    // The pool strikes off the last connection a moment after it has closed.
    await setImmediate()
    await new Promise<void>((resolve, reject) => {
      this.#original.end((error) => (error ? reject(error) : resolve()))
    })
  }
}

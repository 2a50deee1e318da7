import { setImmediate } from 'node:timers/promises'
import type { Credential, LeaseManager } from '@vault-lease/core'
import type { CheckedOut, Fate } from '@vault-lease/core/adapter'
import type { Connection, PoolConnection } from 'mysql2'
import { HeldPlaces } from './admission.ts'
import { MySqlConnections, type MySqlPlace, type MySqlPoolHooks } from './connections.ts'
import { asUnderlyingPool, hasLeftPool, type UnderlyingPool } from './driver.ts'
import { copyHidingPassword } from './hidden-password.ts'

type Taken = CheckedOut<PoolConnection>

/** A pool of mysql2: how connections leave it and come back to it, and which of them it closes. */
export class DriverPool implements MySqlPoolHooks {
  readonly pool: UnderlyingPool
  readonly connections: MySqlConnections
  readonly #original: Pick<
    UnderlyingPool,
    'getConnection' | 'releaseConnection' | '_removeConnection' | 'end'
  >
  /** Who waits for room to open a connection. */
  readonly #waiting = new Set<Taken>()
  /** Told when a connection was closed for them: the next one that is idle or given back. */
  readonly #roomWanted: (() => void)[] = []
  readonly #places: HeldPlaces
  /** Whether the pool resets a connection before it is idle. */
  readonly #resets: boolean
  #closingIdle = false

  constructor(lease: LeaseManager, place: MySqlPlace) {
    this.connections = new MySqlConnections(lease, this, place)
    const { stream } = this.connections
    const pool = asUnderlyingPool(place.driver.createPool({ ...place.options, stream }))
    // In its own methods the pool asks itself for a connection only for somebody in its queue, who has been here already.
    const itself: UnderlyingPool = Object.create(pool, {
      getConnection: { value: (done: Taken) => this.take(done) },
    })
    this.pool = pool
    this.#original = {
      getConnection: pool.getConnection.bind(pool),
      releaseConnection: pool.releaseConnection.bind(itself),
      _removeConnection: pool._removeConnection.bind(itself),
      end: pool.end.bind(pool),
    }
    const makeConfig = pool._createConnectionConfig.bind(pool)
    pool._createConnectionConfig = () => copyHidingPassword(makeConfig())
    this.#places = new HeldPlaces(pool.config)
    pool.on('connection', (connection) => this.connections.connected(connection))
    this.#resets = pool.config.resetOnRelease === true
    if (this.#resets) pool.on('release', (connection) => this.#wasReset(connection))
    pool.releaseConnection = (connection) => this.#release(connection)
    pool._removeConnection = (connection) => this.#remove(connection)
  }

  max(): number {
    // 0 is no limit.
    return this.pool.config.connectionLimit || Number.POSITIVE_INFINITY
  }

  get hasIdle(): boolean {
    return this.#idleCount > 0
  }

  load(): { idle: number; waiting: number } {
    return { idle: this.#idleCount, waiting: this.pool._connectionQueue.length + this.#waiting.size }
  }

  /** Takes a connection, which the pool opens when there is room, or has the caller wait for in its queue. */
  take(done: Taken): void {
    if (this.hasIdle) {
      this.#original.getConnection(done)
      return
    }
    const room = this.connections.whenRoom()
    if (room) {
      this.#waiting.add(done)
      void room.then(() => this.#takeAfterAll(done))
    } else {
      this.#openOrQueue(done)
    }
  }

  closeStale(connection: PoolConnection): void {
    this.#close(connection).catch(() => {})
  }

  giveUpOne(): Promise<void> {
    return new Promise((resolve) => {
      this.#roomWanted.push(resolve)
      this.#lookAtIdle(1)
    })
  }

  drainIdle(): void {
    this.#lookAtIdle(this.#idleCount)
  }

  /** Not where a connection is reset before it is idle, or where the caller formats what is asked on it. */
  openFirst(check: (connection: Connection) => Promise<void>): Promise<void> | undefined {
    const { resetOnRelease, connectionConfig } = this.pool.config
    const isFirst = this.pool._allConnections.peekBack() === undefined && !this.#closingIdle
    return isFirst && !resetOnRelease && !connectionConfig.queryFormat ? this.#openFirst(check) : undefined
  }

  /** Closes what nobody uses, and from now on what is given back. */
  closeIdle(): void {
    this.#closingIdle = true
    this.drainIdle()
  }

  /** Ends the pool when nothing in it is open any more: it would break what is running, and reject what is queued. */
  async end(): Promise<void> {
    // The pool strikes off the last connection a moment after it has closed.
    await setImmediate()
    await new Promise<void>((resolve, reject) => {
      this.#original.end((error) => (error ? reject(error) : resolve()))
    })
  }

  #takeNow(done: Taken): void {
    if (this.hasIdle) this.#original.getConnection(done)
    else this.#openOrQueue(done)
  }

  #openOrQueue(done: Taken): void {
    let credential: Credential | undefined
    const before = this.pool._allConnections.peekBack()
    this.#original.getConnection((error, connection) => {
      if (error) this.connections.noteError(credential, error)
      done(error, connection)
    })
    const newest = this.pool._allConnections.peekBack()
    if (!newest || newest === before) return
    // When the pool opens a connection for this, it does so at once.
    credential = this.connections.attachment.current
    this.connections.opens(newest)
  }

  async #openFirst(check: (connection: Connection) => Promise<void>): Promise<void> {
    const connection = await new Promise<PoolConnection>((resolve, reject) => {
      this.#openOrQueue((error, opened) => (opened ? resolve(opened) : reject(error)))
    })
    try {
      await check(connection)
    } catch (error) {
      this.closeStale(connection)
      throw error
    }
    // Its user is not in force yet; the pool may have been told to close meanwhile.
    this.#meet('keep', connection)
  }

  #serveNext(): void {
    const [next] = this.#waiting
    if (next) this.#takeAfterAll(next)
  }

  #takeAfterAll(done: Taken): void {
    if (this.#waiting.delete(done)) this.take(done)
  }

  #release(connection: PoolConnection): void {
    if (hasLeftPool(connection)) this.#original.releaseConnection(connection)
    else this.#takeBack(connection)
  }

  #takeBack(connection: PoolConnection): void {
    const roomMade = this.#wishForRoom()
    if (roomMade) {
      this.#close(connection).then(roomMade, roomMade)
      return
    }
    const fate = this.#closingIdle ? 'close' : this.connections.fateOfConnection(connection)
    if (typeof fate === 'string') this.#meet(fate, connection)
    else void fate.then((known) => this.#meetLate(known, connection))
  }

  #meetLate(fate: Fate, connection: PoolConnection): void {
    // The pool has given its place away when it was lost.
    if (!hasLeftPool(connection)) this.#meet(fate, connection)
  }

  #meet(fate: Fate, connection: PoolConnection): void {
    if (fate === 'keep' && !this.#closingIdle) this.#backToPool(connection)
    else this.closeStale(connection)
  }

  #backToPool(connection: PoolConnection): void {
    this.#original.releaseConnection(connection)
    if (!this.#resets) this.#becameIdle()
  }

  /** Whom to tell that a connection was closed for them, unless there is room by now. */
  #wishForRoom(): (() => void) | undefined {
    if (this.#roomWanted.length === 0) return undefined
    if (!this.connections.whenRoom()) for (const resolve of this.#roomWanted.splice(0)) resolve()
    return this.#roomWanted.shift()
  }

  get #idleCount(): number {
    return this.pool._freeConnections.length
  }

  /** It has taken a while. */
  #wasReset(connection: PoolConnection): void {
    if (hasLeftPool(connection)) return
    if (this.#closingIdle || this.connections.isConnectionStale(connection)) this.drainIdle()
    else this.#becameIdle()
  }

  #becameIdle(): void {
    if (this.#roomWanted.length > 0) this.#lookAtIdle(1)
    else if (this.#waiting.size > 0) this.#serveNext()
  }

  /** Takes idle connections and gives them back, which closes those that have to go. */
  #lookAtIdle(most: number): void {
    for (let left = Math.min(most, this.#idleCount); left > 0; left--) {
      // The pool hands it over a moment later.
      const letGo = this.#places.hold()
      this.#takeNow((_error, connection) => {
        connection?.release()
        letGo()
      })
    }
  }

  /** The connection keeps its place until the server has closed it, so that `max` holds on both sides. */
  async #close(connection: PoolConnection): Promise<void> {
    const letGo = this.#places.hold()
    const closed = this.connections.closeWhenIdle(connection)
    // Whoever counts has counted it as acquired.
    this.pool.emit('release', connection)
    await closed.finally(letGo)
  }

  /** A connection has ended. The place of one that is being closed is free when the server has closed it too. */
  #remove(connection: PoolConnection): void {
    const closing = this.connections.closing(connection)
    if (closing) void closing.then(() => this.#original._removeConnection(connection))
    else this.#original._removeConnection(connection)
  }
}

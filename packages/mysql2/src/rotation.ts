import { setImmediate } from 'node:timers/promises'
import type { LeaseManager } from '@vault-lease/core'
import { type CheckedOut, Checkout } from '@vault-lease/core/adapter'
import { MySqlConnections, type MySqlPlace } from './connections.ts'
import { asPooledConnection, asUnderlyingPool, type PooledConnection, type UnderlyingPool } from './driver.ts'

type Taken = CheckedOut<PooledConnection>
type Ended = (error?: Error) => void

/** mysql2's own. */
const defaultConnectTimeoutMs = 10_000

/** A mysql2 pool, with overrides that open, check out and release its connections by generation. */
export class PoolRotation {
  readonly pool: UnderlyingPool
  readonly #lease: LeaseManager
  readonly #ownsLease: boolean
  readonly #connections: MySqlConnections
  readonly #checkout: Checkout<PooledConnection>
  readonly #detach: () => void
  readonly #original: Pick<UnderlyingPool, 'getConnection' | 'releaseConnection' | 'end'>
  readonly #idle = new Set<PooledConnection>()
  /** Callbacks of ours that stand in the pool's queue: the pool comes back with them when there is room. */
  readonly #queued = new WeakSet<Taken>()
  #closingIdle = false
  #ended: Promise<void> | undefined

  constructor({ driver, options }: MySqlPlace, { lease, owned }: { lease: LeaseManager; owned: boolean }) {
    const connections = new MySqlConnections(
      lease,
      {
        max: () => this.pool.config.connectionLimit || Number.POSITIVE_INFINITY,
        occupySlot: () => this.#occupySlot(),
        drainIdle: () => this.#drainIdle(),
      },
      { driver, options },
    )
    const pool = asUnderlyingPool(driver.createPool({ ...options, stream: connections.stream }))
    this.pool = pool
    this.#lease = lease
    this.#ownsLease = owned
    this.#connections = connections
    this.#original = {
      getConnection: pool.getConnection.bind(pool),
      releaseConnection: pool.releaseConnection.bind(pool),
      end: pool.end.bind(pool),
    }
    this.#checkout = new Checkout(lease, {
      take: (done) => this.#take(done),
      giveBack: (connection) => connection.release(),
      isStale: (connection) => connections.isConnectionStale(connection),
      closeStale: (connection) => this.#closeStale(connection),
      worthConnectingAgain: (error) => connections.worthConnectingAgain(error),
      patienceMs: () => options.connectTimeout ?? defaultConnectTimeoutMs,
    })
    pool.on('release', (connection) => this.#idle.add(asPooledConnection(connection)))
    pool.on('acquire', (connection) => this.#idle.delete(asPooledConnection(connection)))
    pool.getConnection = (done) => this.#getConnection(done)
    pool.releaseConnection = (connection) => this.#releaseConnection(connection)
    pool.end = (ended?: Ended) => this.#end(ended)
    this.#detach = lease.attach(connections)
  }

  #getConnection(done: Taken): void {
    if (this.#queued.has(done)) this.#take(done)
    else if (this.#ended) process.nextTick(done, new Error('Pool is closed.'))
    else this.#checkout.acquire(done)
  }

  /** Takes a connection from the pool itself, which may open one. */
  #take(done: Taken): void {
    let opened: ReturnType<MySqlConnections['openedBy']>
    const taken: Taken = (error, connection) => {
      if (opened && connection) this.#connections.adopt(opened, connection)
      else if (opened && error) this.#connections.noteError(opened, error)
      done(error, connection)
    }
    this.#queued.add(taken)
    opened = this.#connections.openedBy(() => this.#original.getConnection(taken))
  }

  #releaseConnection(connection: PooledConnection): void {
    if (connection._pool === null) {
      // It has left the pool already, which wants to know who is next.
      this.#idle.delete(connection)
      this.#original.releaseConnection(connection)
    } else if (this.#closingIdle || this.#connections.isConnectionStale(connection)) {
      this.#closeStale(connection)
    } else {
      this.#original.releaseConnection(connection)
    }
  }

  /** The connection keeps its place in the pool until the server has closed it, so that `max` holds on both sides. */
  #closeStale(connection: PooledConnection): void {
    const vacate = (): void => connection.destroy()
    this.#connections.closeWhenIdle(connection).then(vacate, vacate)
  }

  async #occupySlot(): Promise<() => void> {
    const connection = await new Promise<PooledConnection>((resolve, reject) => {
      this.#take((error, taken) => (taken ? resolve(taken) : reject(error)))
    })
    await this.#connections.closeWhenIdle(connection)
    return () => connection.destroy()
  }

  #drainIdle(): void {
    for (let idle = this.#idle.size; idle > 0; idle--) {
      this.#take((_error, connection) => connection?.release())
    }
  }

  #end(ended?: Ended): Promise<void> {
    this.#ended ??= this.#close()
    this.#ended.then(() => ended?.(), ended)
    return this.#ended
  }

  /** The driver's own end() would break what is running and reject what is queued. */
  async #close(): Promise<void> {
    await this.#checkout.served()
    this.#closingIdle = true
    this.#drainIdle()
    // Closing the lease drains every connection in bounded time; one that is never released cannot hold it up.
    if (this.#ownsLease) await this.#lease.close()
    await this.#connections.allClosed()
    this.#detach()
    // The pool strikes off the last connection a moment after it has closed.
    await setImmediate()
    await new Promise<void>((resolve, reject) => {
      this.#original.end((error) => (error ? reject(error) : resolve()))
    })
  }
}

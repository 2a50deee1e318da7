import type { LeaseManager } from '@vault-lease/core'
import { type CheckedOut, Checkout, endPool } from '@vault-lease/core/adapter'
import type { PoolConnection } from 'mysql2'
import type { MySqlPlace } from './connections.ts'
import type { UnderlyingPool } from './driver.ts'
import { DriverPool } from './driver-pool.ts'

type Ended = (error?: Error) => void

/** A mysql2 pool whose acquires get connections of the generation in force, and whose end is also that of its lease. */
export class PoolRotation {
  readonly pool: UnderlyingPool
  readonly #lease: LeaseManager
  readonly #ownsLease: boolean
  readonly #driverPool: DriverPool
  readonly #checkout: Checkout<PoolConnection>
  #ended: Promise<void> | undefined

  constructor(place: MySqlPlace, { lease, owned }: { lease: LeaseManager; owned: boolean }) {
    const driverPool = new DriverPool(lease, place)
    const { pool, connections } = driverPool
    this.pool = pool
    this.#lease = lease
    this.#ownsLease = owned
    this.#driverPool = driverPool
    this.#checkout = new Checkout(connections.attachment, {
      take: (done) => driverPool.take(done),
      hasIdle: () => driverPool.hasIdle,
      giveBack: (connection) => connection.release(),
      isStale: (connection) => connections.isConnectionStale(connection),
      closeStale: (connection) => driverPool.closeStale(connection),
      worthConnectingAgain: (error, wait) => connections.worthConnectingAgain(error, wait),
      // 0 is no limit.
      patienceMs: () => pool.config.connectionConfig.connectTimeout || undefined,
    })
    pool.getConnection = (done) => this.#getConnection(done)
    pool.end = (ended?: Ended) => this.#end(ended)
  }

  #getConnection(done: CheckedOut<PoolConnection>): void {
    if (this.#ended) process.nextTick(done, new Error('Pool is closed.'))
    else this.#checkout.acquire(done)
  }

  #end(ended?: Ended): Promise<void> {
    this.#ended ??= this.#close()
    if (ended) this.#ended.then(() => ended(), ended)
    return this.#ended
  }

  async #close(): Promise<void> {
    const { connections } = this.#driverPool
    await endPool({
      lease: this.#lease,
      ownsLease: this.#ownsLease,
      attachment: connections.attachment,
      serveQueue: (withinMs) => this.#checkout.end(withinMs, () => new Error('Pool is closed.')),
      closeIdle: () => this.#driverPool.closeIdle(),
      allClosed: () => connections.allClosed(),
    })
    await this.#driverPool.end()
  }
}

import type { VaultPool } from '@vault-lease/mysql2/adapter'
import type { PoolConnection } from 'mysql2'
import { Work } from './mysql-work.ts'
import type { LeasedPool } from './session.ts'

/** Overrides of one pool, which know who needs it and take its connections back when TypeORM ends it. */
export class WatchedPool implements LeasedPool {
  readonly #end: VaultPool['end']
  readonly #held = new Set<PoolConnection>()
  readonly #work = new WeakMap<PoolConnection, Work>()
  #waiting = 0

  constructor(pool: VaultPool) {
    const getConnection = pool.getConnection.bind(pool)
    const releaseConnection = pool.releaseConnection.bind(pool)
    this.#end = pool.end.bind(pool)
    pool.getConnection = (done) => {
      this.#waiting++
      getConnection((error, connection) => {
        this.#waiting--
        if (connection) this.#hold(connection)
        done(error, connection)
      })
    }
    // mysql2 calls it for a connection that is lost, too.
    pool.releaseConnection = (connection) => {
      this.#held.delete(connection as PoolConnection)
      releaseConnection(connection)
    }
    pool.end = (ended) => {
      // TypeORM ends a pool when those who work have finished, and itself does not release every query runner.
      for (const connection of this.#held) connection.release()
      return this.#end(ended)
    }
  }

  get atWork(): boolean {
    return this.#waiting > 0 || [...this.#held].some((connection) => this.#work.get(connection)?.underWay)
  }

  end(): Promise<void> {
    return this.#end()
  }

  #hold(connection: PoolConnection): void {
    this.#held.add(connection)
    if (!this.#work.has(connection)) this.#work.set(connection, new Work(connection))
  }
}

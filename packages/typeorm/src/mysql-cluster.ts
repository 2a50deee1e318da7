import type { VaultPool } from '@vault-lease/mysql2/adapter'
import type { PoolConnection, PoolOptions } from 'mysql2'

type Answer = (error: Error | null, connection?: PoolConnection) => void

/** What TypeORM needs of mysql2's cluster, over pools on one lease: mysql2's own makes its pools itself. */
export class LeasedCluster {
  readonly #createPool: (options: PoolOptions) => VaultPool
  readonly #pools = new Map<string, VaultPool>()
  #turn = 0

  constructor(createPool: (options: PoolOptions) => VaultPool) {
    this.#createPool = createPool
  }

  add(name: string, options: PoolOptions): void {
    this.#pools.set(name, this.#createPool(options))
  }

  /** Takes a connection of the servers in turn; one that cannot be reached is passed over. */
  getConnection(pattern: string, done: Answer): void {
    const pools = this.#matching(pattern)
    const first = this.#turn++ % pools.length
    const [next, ...others] = [...pools.slice(first), ...pools.slice(0, first)]
    if (next) connectToFirst(next, others, done)
    else done(new Error(`The option "replication" names no server for ${pattern}.`))
  }

  end(done: (error?: Error) => void): void {
    const ended = Promise.all([...this.#pools.values()].map((pool) => pool.end()))
    ended.then(() => done(), done)
  }

  #matching(pattern: string): VaultPool[] {
    const prefix = pattern.replace(/\*$/, '')
    return [...this.#pools].filter(([name]) => name.startsWith(prefix)).map(([, pool]) => pool)
  }
}

function connectToFirst(pool: VaultPool, others: readonly VaultPool[], done: Answer): void {
  pool.getConnection((error, connection) => {
    const [next, ...left] = others
    if (error && next) connectToFirst(next, left, done)
    else done(error, connection)
  })
}

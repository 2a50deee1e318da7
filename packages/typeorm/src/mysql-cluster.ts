import { type Clock, systemClock } from '@vault-lease/core/adapter'
import type { VaultPool } from '@vault-lease/mysql2/adapter'
import type { PoolConnection, PoolOptions } from 'mysql2'

type Answer = (error: Error | null, connection?: PoolConnection) => void

/** The options of mysql2's cluster, which TypeORM takes in `replication`, as far as they hold here. */
export interface ClusterOptions {
  /** How often a server has to fail, with no success in between, until it is passed over. Default: 1. */
  readonly removeNodeErrorCount?: number | undefined
  /** For how long it is then passed over, in milliseconds. Default: 10,000; so too for 0, which is for ever in mysql2. */
  readonly restoreNodeTimeout?: number | undefined
}

interface Node {
  readonly name: string
  readonly pool: VaultPool
  failures: number
  passedOverUntil: number
}

const defaultFailures = 1
const defaultPauseMs = 10_000

/** What TypeORM needs of mysql2's cluster, over pools on one lease: mysql2's own makes its pools itself. */
export class LeasedCluster {
  readonly #createPool: (options: PoolOptions) => VaultPool
  readonly #failures: number
  readonly #pauseMs: number
  readonly #clock: Clock
  readonly #nodes: Node[] = []
  #turn = 0

  constructor(
    createPool: (options: PoolOptions) => VaultPool,
    { removeNodeErrorCount, restoreNodeTimeout }: ClusterOptions = {},
    clock: Clock = systemClock,
  ) {
    this.#createPool = createPool
    this.#failures = removeNodeErrorCount || defaultFailures
    this.#pauseMs = restoreNodeTimeout || defaultPauseMs
    this.#clock = clock
  }

  add(name: string, options: PoolOptions): void {
    this.#nodes.push({ name, pool: this.#createPool(options), failures: 0, passedOverUntil: 0 })
  }

  /** Takes a connection of the servers in turn; one that cannot be reached is passed over, and for a while not asked first. */
  getConnection(pattern: string, done: Answer): void {
    const [next, ...others] = this.#inTurn(pattern)
    if (next) this.#connectToFirst(next, others, done)
    else done(new Error(`The option "replication" names no server for ${pattern}.`))
  }

  end(done: (error?: Error) => void): void {
    const ended = Promise.all(this.#nodes.map(({ pool }) => pool.end()))
    ended.then(() => done(), done)
  }

  /** Those that have failed come last: where there are no others, they are asked all the same. */
  #inTurn(pattern: string): Node[] {
    const prefix = pattern.replace(/\*$/, '')
    const now = this.#clock.now()
    const nodes = this.#nodes.filter(({ name }) => name.startsWith(prefix))
    const well = nodes.filter(({ passedOverUntil }) => passedOverUntil <= now)
    const first = this.#turn++ % Math.max(1, well.length)
    return [...well.slice(first), ...well.slice(0, first), ...nodes.filter((node) => !well.includes(node))]
  }

  #connectToFirst(node: Node, others: readonly Node[], done: Answer): void {
    node.pool.getConnection((error, connection) => {
      const [next, ...left] = others
      if (error) this.#failed(node)
      else node.failures = 0
      if (error && next) this.#connectToFirst(next, left, done)
      else done(error, connection)
    })
  }

  #failed(node: Node): void {
    node.failures++
    if (node.failures >= this.#failures) node.passedOverUntil = this.#clock.now() + this.#pauseMs
  }
}

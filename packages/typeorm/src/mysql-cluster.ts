import { type Clock, systemClock } from '@vault-lease/core/adapter'
import type { VaultPool } from '@vault-lease/mysql2/adapter'
import type { PoolConnection, PoolOptions } from 'mysql2'

type Answer = (error: Error | null, connection?: PoolConnection) => void

/** How one of several servers is chosen: each in its turn, by chance, or the first that is well. */
export const selectors = ['RR', 'RANDOM', 'ORDER'] as const

/** The options of mysql2's cluster, which TypeORM takes in `replication`. */
export interface ClusterOptions {
  /** Whether the others are asked when the chosen server fails. Default: true. */
  readonly canRetry?: boolean | undefined
  /** Which server is asked first. Default: `RR`. */
  readonly selector?: (typeof selectors)[number] | undefined
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
  readonly #canRetry: boolean
  readonly #selector: (typeof selectors)[number]
  readonly #failures: number
  readonly #pauseMs: number
  readonly #clock: Clock
  readonly #nodes: Node[] = []
  #turn = 0

  constructor(
    createPool: (options: PoolOptions) => VaultPool,
    { canRetry = true, selector = 'RR', removeNodeErrorCount, restoreNodeTimeout }: ClusterOptions = {},
    clock: Clock = systemClock,
  ) {
    this.#createPool = createPool
    this.#canRetry = canRetry
    this.#selector = selector
    this.#failures = removeNodeErrorCount || defaultFailures
    this.#pauseMs = restoreNodeTimeout || defaultPauseMs
    this.#clock = clock
  }

  add(name: string, options: PoolOptions): void {
    this.#nodes.push({ name, pool: this.#createPool(options), failures: 0, passedOverUntil: 0 })
  }

  /** Takes a connection of the chosen server; one that cannot be reached is passed over, and for a while not asked first. */
  getConnection(pattern: string, done: Answer): void {
    const [next, ...others] = this.#inOrder(pattern)
    if (next) this.#connectToFirst(next, this.#canRetry ? others : [], done)
    else done(new Error(`The option "replication" names no server for ${pattern}.`))
  }

  end(done: (error?: Error) => void): void {
    const ended = Promise.all(this.#nodes.map(({ pool }) => pool.end()))
    ended.then(() => done(), done)
  }

  /** Those that have failed come last: where there are no others, they are asked all the same. */
  #inOrder(pattern: string): Node[] {
    const prefix = pattern.replace(/\*$/, '')
    const now = this.#clock.now()
    const nodes = this.#nodes.filter(({ name }) => name.startsWith(prefix))
    const well = nodes.filter(({ passedOverUntil }) => passedOverUntil <= now)
    const first = this.#firstOf(Math.max(1, well.length))
    return [...well.slice(first), ...well.slice(0, first), ...nodes.filter((node) => !well.includes(node))]
  }

  #firstOf(count: number): number {
    if (this.#selector === 'ORDER') return 0
    return this.#selector === 'RANDOM' ? Math.floor(Math.random() * count) : this.#turn++ % count
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

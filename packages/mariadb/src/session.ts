import type { Readable } from 'node:stream'
import type { Connection, PoolConnection, QueryOptions } from 'mariadb'
import type { FarewellSocket } from './farewell-socket.ts'

/** The two ways of the driver to run a statement: as text, and prepared. */
export type Method = 'query' | 'execute'

type Statement = readonly [statement: string | QueryOptions, values?: unknown]

/** How a statement has ended: with an error, or else with a result. */
type Answered = (error: unknown, result?: unknown) => void

const inTransaction = 1

/** A physical connection: the driver's own object, which is lent as it is. */
export class Session {
  readonly socket: FarewellSocket
  /** For whoever has it: `release()` gives it back, as `lendBy()` says. */
  readonly connection: PoolConnection
  /** Since when nobody uses it, by the clock of the pool. */
  idleSince = 0
  readonly #ask: Readonly<Record<Method, (...statement: Statement) => Promise<unknown>>>
  readonly #stream: Connection['queryStream']
  readonly #streams = new Set<Readable>()
  readonly #end: () => Promise<void>
  readonly #onError: (error: unknown) => void
  #isLent = false
  readonly #underWay = new Set<Answered>()
  #recalled: (() => Error) | undefined

  /** @param onError hears of every statement that failed. */
  constructor(connection: Connection, socket: FarewellSocket, onError: (error: unknown) => void) {
    this.socket = socket
    this.#onError = onError
    this.#end = connection.end.bind(connection)
    this.#stream = connection.queryStream.bind(connection)
    this.#ask = { query: connection.query.bind(connection), execute: connection.execute.bind(connection) }
    this.connection = Object.assign(connection, {
      query: (...statement: Statement) => this.#promised('query', statement),
      execute: (...statement: Statement) => this.#promised('execute', statement),
      queryStream: (...statement: Statement) => this.#streamOf(statement),
    }) as unknown as PoolConnection
    this.forgetListeners()
  }

  /** Whether the last statement has left a transaction open. */
  get isInTransaction(): boolean {
    return ((this.connection.info?.status ?? 0) & inTransaction) !== 0
  }

  /** Whether the server answers in time; the driver gives the connection up if not. */
  async answersWithin(ms: number): Promise<boolean> {
    // The driver's types lack the limit.
    const { connection }: { connection: { isValid(): boolean; ping(ms: number): Promise<void> } } = this
    if (!connection.isValid()) return false
    return await connection.ping(ms).then(
      () => true,
      () => false,
    )
  }

  /** Runs a statement, and says how it has ended. */
  run(method: Method, [statement, values]: Statement, done: Answered): void {
    this.#underWay.add(done)
    this.#ask[method](statement, values).then(
      (result) => this.#underWay.delete(done) && done(undefined, result),
      (error) => {
        if (!this.#underWay.delete(done)) return
        this.#onError(error)
        done(this.#recalled?.() ?? error)
      },
    )
  }

  /** From now on the connection can be lent: its holder gives it back once. */
  lendBy(takeBack: () => Promise<void>): void {
    const release = async (): Promise<void> => {
      if (!this.#isLent) return
      this.#isLent = false
      this.forgetListeners()
      await takeBack()
    }
    Object.assign(this.connection, { release, end: release, close: release })
  }

  lend(): PoolConnection {
    this.#isLent = true
    return this.connection
  }

  /** Not every holder takes its listeners away. Without one the loss of the connection would end the process. */
  forgetListeners(): void {
    this.connection.removeAllListeners('error')
    this.connection.on('error', ignore)
  }

  /** Fails whatever its holder waits for, and asks for from now on. Says whether a statement was under way. */
  recall(reason: () => Error): boolean {
    this.#recalled = reason
    // From here on the driver takes nothing more. Its destroy() would kill the session by a connection that nobody counts.
    void this.#end()
    const waiting = [...this.#underWay]
    this.#underWay.clear()
    for (const done of waiting) done(reason())
    const streams = [...this.#streams]
    for (const stream of streams) stream.destroy(reason())
    return waiting.length > 0 || streams.length > 0
  }

  /** Says farewell after what was asked for. */
  end(): Promise<void> {
    return this.#end()
  }

  #streamOf(statement: Statement): Readable {
    const stream = this.#stream(...statement)
    const recalled = this.#recalled?.()
    if (recalled) return stream.destroy(recalled)
    this.#streams.add(stream)
    stream.once('error', this.#onError)
    stream.once('close', () => this.#streams.delete(stream))
    return stream
  }

  #promised(method: Method, statement: Statement): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.run(method, statement, (error, result) => (error === undefined ? resolve(result) : reject(error)))
    })
  }
}

/** Whoever asks hears of it. */
function ignore(): void {}

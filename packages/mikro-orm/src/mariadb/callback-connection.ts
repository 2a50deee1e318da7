import { EventEmitter } from 'node:events'
import type { Readable } from 'node:stream'
import type { Connection, QueryOptions } from 'mariadb'

type Done = (error: unknown, ...results: unknown[]) => void

/**
 * A connection of mariadb with the callbacks that knex wants, over the one with promises that is leased: as much of them as knex
 * and MikroORM use.
 */
export class CallbackConnection extends EventEmitter {
  /** Why the connection is of no use any more; knex marks it. */
  __knex__disposed?: unknown
  readonly #opening: Promise<Connection>
  #opened: Connection | undefined

  /** @param opening may fail: who calls `connect()`, as knex does at once, hears of it. */
  constructor(opening: Promise<Connection>) {
    super()
    this.#opening = opening
    opening.catch(() => {})
  }

  /** The leased connection, once `connect()` has called back. */
  get opened(): Connection {
    if (!this.#opened) throw new Error('The connection is not open yet.')
    return this.#opened
  }

  get threadId(): number | null {
    return this.opened.threadId
  }

  connect(done: Done): void {
    this.#opening.then((connection) => {
      this.#opened = connection
      connection.on('error', (error) => this.listenerCount('error') > 0 && this.emit('error', error))
      done(null)
    }, done)
  }

  isValid(): boolean {
    return this.opened.isValid()
  }

  /** With a callback, or else for its rows as a stream. */
  query(statement: string | QueryOptions, values?: unknown, done?: Done): { stream(): Readable } {
    const options = typeof statement === 'string' ? { sql: statement } : statement
    if (typeof values === 'function') this.#run(options, undefined, values as Done)
    else if (done) this.#run(options, values, done)
    return { stream: () => this.opened.queryStream(options, values) }
  }

  end(done: Done): void {
    this.opened.end().then(() => done(null), done)
  }

  #run(options: QueryOptions, values: unknown, done: Done): void {
    this.opened
      .query<[rows: unknown, fields: unknown]>({ ...options, metaAsArray: true }, values)
      .then(([rows, fields]) => done(null, rows, fields), done)
  }
}

import { ConnectionRetiredError } from '@vault-lease/core'
import { asPgClient, type ClientClass } from '@vault-lease/pg/adapter'
import type { ClientConfig } from 'pg'

/** A connection that knows whether it is needed. */
export interface WorkingClient {
  /** Whether a statement runs on it, or a transaction is open. */
  readonly atWork: boolean
}

/**
 * The class of the connections of one pool.
 *
 * TypeORM releases a query runner whose connection fails while it is idle, and the next query would only hear that it is
 * released. A connection of this class that is retired tells the next query why.
 *
 * @param open holds the connections of the class from their making to their end.
 */
export function workingClient(Client: ClientClass, open: Set<WorkingClient>): ClientClass {
  return class extends Client implements WorkingClient {
    #inTransaction = false
    #retired = false

    constructor(config?: string | ClientConfig) {
      super(config)
      asPgClient(this).connection.on('readyForQuery', ({ status }: { status: string }) => {
        this.#inTransaction = status !== 'I'
      })
      open.add(this)
      this.once('end', () => open.delete(this))
    }

    get atWork(): boolean {
      return this.#inTransaction || asPgClient(this).readyForQuery === false
    }

    override emit(event: string | symbol, ...values: unknown[]): boolean {
      if (event !== 'error') return super.emit(event, ...values)
      this.#retired ||= values[0] instanceof ConnectionRetiredError
      return !this.#retired && super.emit(event, ...values)
    }
  }
}

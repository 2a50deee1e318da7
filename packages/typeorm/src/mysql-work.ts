import type { EventEmitter } from 'node:events'
import { asMySqlConnection } from '@vault-lease/mysql2/adapter'
import type { PoolConnection } from 'mysql2'

interface Command extends EventEmitter {
  onResult?: (...answer: unknown[]) => void
}

/** SERVER_STATUS_IN_TRANS of MySQL's protocol. */
const inTransaction = 1

/** Whether a connection is needed: a statement runs on it, or a transaction is open. */
export class Work {
  #latest: Command | undefined
  #inTransaction = false

  constructor(pooled: PoolConnection) {
    const connection = asMySqlConnection(pooled)
    const addCommand = connection.addCommand.bind(connection)
    connection.addCommand = (command: Command) => {
      this.#watch(command)
      return addCommand(command)
    }
  }

  get underWay(): boolean {
    return this.#inTransaction || this.#latest !== undefined
  }

  #watch(command: Command): void {
    this.#latest = command
    command.once('end', () => {
      if (this.#latest === command) this.#latest = undefined
    })
    const { onResult } = command
    if (!onResult) return
    command.onResult = (...answer) => {
      this.#inTransaction = isInTransaction(answer[1]) ?? this.#inTransaction
      onResult(...answer)
    }
  }
}

/** Whether a transaction is open after a statement; `undefined` when its result does not say, as that of a query. */
function isInTransaction(result: unknown): boolean | undefined {
  if (typeof result !== 'object' || result === null || !('serverStatus' in result)) return undefined
  return (Number(result.serverStatus) & inTransaction) !== 0
}

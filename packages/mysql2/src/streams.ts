import { onCommand } from './commands.ts'
import type { Command, MySqlConnection } from './driver.ts'

/**
 * What runs on a connection without a callback: streams, mostly. mysql2 tells a loss of the connection to callbacks only,
 * and a stream would hang for ever.
 */
export class Streams {
  readonly #running = new Set<Command>()

  constructor(connection: MySqlConnection) {
    onCommand(connection, (command) => {
      if (command.onResult === undefined) this.#watch(command)
    })
    connection.on('error', (error) => this.fail(() => error))
  }

  fail(reason: () => Error): void {
    for (const command of this.#running) {
      // Without a listener the event would end the process.
      if (command.listenerCount('error') > 0) command.emit('error', reason())
    }
    this.#running.clear()
  }

  #watch(command: Command): void {
    this.#running.add(command)
    command.once('end', () => this.#running.delete(command))
  }
}

import { errorMonitor } from 'node:events'
import type { Command, MySqlConnection } from './driver.ts'

/** Tells of everything that is asked of a connection, before the connection hears of it. */
export function onCommand(connection: MySqlConnection, hear: (command: Command) => void): void {
  const addCommand = connection.addCommand.bind(connection)
  connection.addCommand = (command) => {
    hear(command)
    return addCommand(command)
  }
}

/** Tells why a command failed, before whoever asked hears of it. */
export function onFailure(command: Command, hear: (error: Error) => void): void {
  const { onResult } = command
  if (onResult) {
    command.onResult = function answer(this: Command, error, ...rest) {
      if (error) hear(error)
      onResult.call(this, error, ...rest)
    }
  } else {
    // Whoever only watches changes nothing for an 'error' that nobody listens to.
    command.once(errorMonitor, hear)
  }
}

import type { IoredisCommand } from './driver.ts'

/** What stands in a command for its password. */
export const hidden = '[redacted]'

/** Has a command, which the client prints and errors carry, hold the password of its login only while it is written. */
export function hidePassword(command: IoredisCommand, password: string): void {
  const { args, toWritable } = command
  const place = args.lastIndexOf(hidden)
  command.toWritable = (socket) => {
    args[place] = password
    try {
      return toWritable.call(command, socket)
    } finally {
      args[place] = hidden
    }
  }
}

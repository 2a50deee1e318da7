import type { Socket } from 'node:net'
import { settlesWithin } from '@vault-lease/core/adapter'
import type { Command, MySqlConnection } from './driver.ts'
import { askForUser } from './statements.ts'
import { Streams } from './streams.ts'

/** A server that does not answer the farewell is left after this time. */
const farewellMs = 2_000

/** A server that reads from the connection notices its end within this time; else it is busy with a statement. */
const noticesWithinMs = 25

/** One physical connection: its socket, and the driver's connection once that is known. */
export class Session {
  readonly socket: Socket
  /** The user that it was opened for. */
  readonly username: string
  readonly #closed: Promise<void>
  #connection: MySqlConnection | undefined
  #streams: Streams | undefined
  #isClosing = false

  constructor(socket: Socket, username: string) {
    this.socket = socket
    this.username = username
    this.#closed = new Promise((resolve) => {
      if (socket.destroyed) resolve()
      else socket.once('close', () => resolve())
    })
  }

  /** The driver's connection is known now. */
  adopt(connection: MySqlConnection): void {
    this.#connection = connection
    this.#streams = new Streams(connection)
  }

  /** Resolves when the connection is closed on both sides. */
  closed(): Promise<void> {
    return this.#closed
  }

  /** While the library closes the connection: resolves when it is closed on both sides. */
  get closing(): Promise<void> | undefined {
    return this.#isClosing ? this.#closed : undefined
  }

  /** The connection is asked what its user may do: the server knows nothing of one that was dropped. */
  async askForUser(): Promise<'exists' | 'gone' | 'unknown'> {
    if (!this.#connection) return 'unknown'
    return await askForUser(this.#connection)
  }

  /** Closes the connection at once; what was asked of it fails with the reason. */
  abort(reason: Error): void {
    this.socket.destroy(reason)
  }

  /** Closes the connection once what was asked of it is answered. */
  async closeWhenIdle(): Promise<void> {
    const connection = this.#connection
    if (!connection) {
      this.socket.destroy()
      return this.#closed
    }
    this.#isClosing = true
    // Without this option end() of a connection in a pool only gives it back.
    connection.config.gracefulEnd = true
    const answered = new Promise<void>((resolve) => connection.end(() => resolve()))
    await Promise.race([answered, this.#closed])
    await this.leaveInTime()
    await this.#closed
  }

  /** The farewell was said: a server that does not close the connection in time is left. */
  async leaveInTime(): Promise<void> {
    await settlesWithin(this.#closed, farewellMs)
    this.socket.destroy()
  }

  /**
   * Closes the connection under whoever uses it: what was asked of it fails with the reason, and what is asked later.
   *
   * @throws what `kill` throws: then the session may still be open at the server.
   * @param kill ends the session from another connection, when the server is busy with a statement of it.
   */
  async closeUnderHolder(reason: () => Error, kill: (threadId: number) => Promise<void>): Promise<void> {
    const connection = this.#connection
    if (!connection) {
      this.socket.destroy(reason())
      return this.#closed
    }
    this.#isClosing = true
    try {
      this.socket.emit('error', reason())
      this.#streams?.fail(reason)
      // The driver sets its own refusal, now and whenever it hears of an error.
      Object.defineProperty(connection, 'addCommand', { get: () => refusing(reason), set() {} })
      // What is still on its way is read, or the server would wait for it to be.
      this.socket.resume()
      if ((await settlesWithin(this.#closed, noticesWithinMs)) || connection.threadId === null) return
      await kill(connection.threadId)
      await settlesWithin(this.#closed, farewellMs)
    } finally {
      this.socket.destroy()
      await this.#closed
    }
  }
}

function refusing(reason: () => Error): MySqlConnection['addCommand'] {
  return (command: Command) => {
    let over = false
    command.once('end', () => {
      over = true
    })
    process.nextTick(() => {
      // The execution of a statement is over when its preparation has failed.
      if (over) return
      if (command.onResult) command.onResult(reason())
      else if (command.listenerCount('error') > 0) command.emit('error', reason())
    })
    return command
  }
}

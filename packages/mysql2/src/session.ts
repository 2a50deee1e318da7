import type { Socket } from 'node:net'
import { settlesWithin } from '@vault-lease/core/adapter'
import type { Command, MySqlConnection, MySqlDriver } from './driver.ts'
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
  #keepPlace = (): void => {}

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
    this.#keepPlace = keepingPlace(connection)
    this.#streams = new Streams(connection)
  }

  /** Resolves when the connection is closed on both sides. */
  closed(): Promise<void> {
    return this.#closed
  }

  /** The connection is asked what its user may do: the server knows nothing of one that was dropped. */
  async askForUser(): Promise<'exists' | 'gone' | 'unknown'> {
    if (!this.#connection) return 'unknown'
    return await askForUser(this.#connection)
  }

  /** Closes the connection at once; what was asked of it fails with the reason. */
  abort(reason: unknown): void {
    this.socket.destroy(reason instanceof Error ? reason : new Error(String(reason)))
  }

  /** Closes the connection once what was asked of it is answered. */
  async closeWhenIdle({ Connection }: Pick<MySqlDriver, 'Connection'>): Promise<void> {
    const connection = this.#connection
    if (!connection) {
      this.socket.destroy()
      return this.#closed
    }
    this.#keepPlace()
    // The pool's own connections have another meaning of end().
    const { end } = Connection.prototype as { end: (answered: () => void) => unknown }
    const answered = new Promise<void>((resolve) => end.call(connection, resolve))
    await Promise.race([answered, this.#closed])
    await settlesWithin(this.#closed, farewellMs)
    this.socket.destroy()
    await this.#closed
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
    this.#keepPlace()
    this.socket.emit('error', reason())
    this.#streams?.fail(reason)
    // The driver sets its own refusal when it has closed the connection.
    Object.defineProperty(connection, 'addCommand', { get: () => refusing(reason), set() {} })
    // What is still on its way is read, or the server would wait for it to be.
    this.socket.resume()
    try {
      if ((await settlesWithin(this.#closed, noticesWithinMs)) || connection.threadId === null) return
      await kill(connection.threadId)
      await settlesWithin(this.#closed, farewellMs)
    } finally {
      this.socket.destroy()
      await this.#closed
      connection.destroy()
    }
  }
}

/**
 * A pool gives the place of a connection away as soon as it hears of its end or of an error; here it shall be free when the
 * server has closed it. Whoever else listens goes on hearing of both.
 */
function keepingPlace(connection: MySqlConnection): () => void {
  // The pool listens from the beginning, before anybody else can.
  const ofPool = (['end', 'error'] as const).map((event) => ({
    event,
    listener: connection.listeners(event)[0] as (() => void) | undefined,
  }))
  return () => {
    for (const { event, listener } of ofPool) if (listener) connection.off(event, listener)
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

import type { PoolAttachment } from '../lease/attachment.ts'
import { type Clock, systemClock } from '../resilience/clock.ts'
import { Attempts, type Reconnecting } from './attempts.ts'

/** What is asked of the connections of the pool. */
export interface BorrowedConnections extends Reconnecting {
  readonly attachment: Pick<PoolAttachment, 'current' | 'credential'>
  /** Resolves when a connection may be opened, if that has to be waited for. */
  whenRoom(): Promise<void> | undefined
}

/** How a pool lends a connection. */
export interface Lending<Connection> {
  take(): Promise<Connection>
  giveBack(connection: Connection): Promise<void>
}

/**
 * The way to a connection in a pool that looks at each one before it lends it, drops those that are stale, and opens another by
 * itself. Such a pool has a function to open a connection and one to lend it, and these go round them.
 */
export class ValidateOnBorrow {
  readonly #connections: BorrowedConnections
  readonly #patienceMs: () => number | undefined
  readonly #clock: Clock

  /**
   * @param patienceMs Milliseconds that one call may wait for a credential, all in all; none: the lease's own time. Less than
   * the pool's own patience, so that callers hear why there is no connection, and not that the pool may be full.
   */
  constructor(
    connections: BorrowedConnections,
    patienceMs: () => number | undefined,
    clock: Clock = systemClock,
  ) {
    this.#connections = connections
    this.#patienceMs = patienceMs
    this.#clock = clock
  }

  /**
   * Opens a connection once a credential may be used and there is room. Tries again when the credential was replaced before
   * anybody could use the connection, and once when the server refused it and there is another.
   *
   * @throws CredentialsUnavailableError when none may be used in time, or the driver's own error.
   */
  async open<Connection>(connect: () => Promise<Connection>): Promise<Connection> {
    const attempts = this.#attempts()
    const { attachment } = this.#connections
    for (;;) {
      await attachment.credential({ timeoutMs: attempts.leftMs })
      // Several may wait for one place.
      for (let room = this.#connections.whenRoom(); room; room = this.#connections.whenRoom()) await room
      try {
        return await connect()
      } catch (error) {
        if (!(await attempts.another(error, this.#connections))) throw error
      }
    }
  }

  /**
   * Lends a connection. While no credential may be used nobody gets one, and whoever has just got one gives it back.
   *
   * @throws CredentialsUnavailableError when none may be used in time, or the pool's own error.
   */
  async lend<Connection>({ take, giveBack }: Lending<Connection>): Promise<Connection> {
    const attempts = this.#attempts()
    const { attachment } = this.#connections
    for (;;) {
      if (!attachment.current) await attachment.credential({ timeoutMs: attempts.leftMs })
      const connection = await take()
      if (attachment.current) return connection
      await giveBack(connection)
    }
  }

  #attempts(): Attempts {
    return new Attempts(this.#clock, this.#patienceMs())
  }
}

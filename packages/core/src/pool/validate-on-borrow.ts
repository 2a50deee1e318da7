import type { PoolAttachment } from '../lease/attachment.ts'
import { type Clock, systemClock } from '../resilience/clock.ts'
import { Attempts, type Reconnecting } from './attempts.ts'

/** What is asked of the connections of the pool. */
export interface BorrowedConnections extends Reconnecting {
  readonly attachment: Pick<PoolAttachment, 'current' | 'generation' | 'credential'>
  /** Resolves when a connection may be opened, if that has to be waited for. */
  whenRoom(): Promise<void> | undefined
}

/**
 * The way to a connection in a pool that looks at each one before it lends it, drops those that are stale, and opens another by
 * itself. Such a pool has a function to open a connection, one to look at it, and one to lend it, and these go round them.
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
   * Lends a connection, which the pool asks `mayLend()` about. While no credential may be used nobody waits in the pool.
   *
   * @throws CredentialsUnavailableError when none may be used in time, or the pool's own error.
   */
  lend<Connection>(take: () => Promise<Connection>): Promise<Connection> {
    return this.#connections.attachment.generation === 0 ? this.#onceUsable().then(take) : take()
  }

  /** Whether there is a credential, without which no connection is lent: at once, or when that is known. */
  mayLend(): true | Promise<boolean> {
    if (this.#connections.attachment.current) return true
    const isUsable = (): boolean => true
    return this.#onceUsable().then(isUsable, () => false)
  }

  #onceUsable(): Promise<unknown> {
    return this.#connections.attachment.credential({ timeoutMs: this.#patienceMs() })
  }

  #attempts(): Attempts {
    return new Attempts(this.#clock, this.#patienceMs())
  }
}

import { setTimeout as sleep } from 'node:timers/promises'
import type { Notification as Notified, PoolClient } from 'pg'
import pg from 'pg'
import { asPgClient } from './driver.ts'
import type { VaultPool } from './pool-class.ts'

/** What was notified. */
export interface Notification {
  readonly channel: string
  /** Empty where none was given. */
  readonly payload: string
  /** The process of the server that has notified. */
  readonly processId: number
}

const pauseMs = 50

/** A connection of a pool that listens, and tells what it hears once it is its turn. */
export class ListeningClient {
  /** Resolves with why it hears nothing any more. */
  readonly lost: Promise<Error>
  readonly #client: PoolClient
  readonly #marks: string
  readonly #tell: (notification: Notification) => void
  readonly #hear = (message: Notified): void => this.#heard(message)
  readonly #isLost: (error: Error) => void
  /** What was heard before it is its turn to tell. */
  #kept: Notification[] | undefined = []
  #mark: { readonly value: string; reached(): void } | undefined
  #over = false

  private constructor(client: PoolClient, marks: string, tell: (notification: Notification) => void) {
    this.#client = client
    this.#marks = marks
    this.#tell = tell
    let isLost = (_error: Error): void => {}
    this.lost = new Promise((resolve) => {
      isLost = resolve
    })
    this.#isLost = isLost
    client.on('notification', this.#hear)
    client.on('error', this.#isLost)
    client.on('end', this.#ended)
  }

  /**
   * Listens on a connection of the newest user.
   *
   * @throws the pool's own error.
   */
  static async open(
    pool: VaultPool,
    channels: readonly string[],
    marks: string,
    tell: (notification: Notification) => void,
    closing: AbortSignal,
  ): Promise<ListeningClient> {
    const client = await connectAsNewest(pool, closing)
    const listening = new ListeningClient(client, marks, tell)
    try {
      const all = [...channels, marks].map((channel) => `LISTEN ${pg.escapeIdentifier(channel)}`)
      await client.query(all.join('; '))
      return listening
    } catch (error) {
      await listening.leave()
      throw error
    }
  }

  /** Puts a mark into the order of all notifications. */
  async putMark(value: string): Promise<void> {
    await this.#client.query('SELECT pg_notify($1, $2)', [this.#marks, value])
  }

  /** Resolves once it has told everything that came before the mark. It tells nothing that comes after. */
  tellUntil(value: string): Promise<void> {
    return new Promise((resolve) => {
      this.#mark = {
        value,
        reached: () => {
          this.#over = true
          resolve()
        },
      }
    })
  }

  /** Tells everything again: what was to come after it is not there. */
  tellOn(): void {
    this.#mark = undefined
  }

  /** Resolves once it has heard the mark. It forgets what came before. */
  keepFrom(value: string): Promise<void> {
    return new Promise((resolve) => {
      this.#mark = {
        value,
        reached: () => {
          this.#kept = []
          resolve()
        },
      }
    })
  }

  /** Tells what it has kept, and from now on what it hears. */
  tell(): void {
    const kept = this.#kept ?? []
    this.#kept = undefined
    for (const each of kept) this.#tell(each)
  }

  /** Listens no more, and gives the connection back. */
  async leave(): Promise<void> {
    this.#over = true
    const client = this.#client
    const failure = await client.query('UNLISTEN *').then(
      () => undefined,
      (error: Error) => error,
    )
    client.off('notification', this.#hear)
    client.off('error', this.#isLost)
    client.off('end', this.#ended)
    client.release(failure)
  }

  readonly #ended = (): void => this.#isLost(new Error('The connection that listens was closed.'))

  #heard({ channel, payload = '', processId }: Notified): void {
    if (channel === this.#marks) {
      if (payload === this.#mark?.value) this.#mark.reached()
    } else if (!this.#over) {
      const notification = { channel, payload, processId }
      if (this.#kept) this.#kept.push(notification)
      else this.#tell(notification)
    }
  }
}

/** After a rotation the pool still lends connections of the old user until it is their turn. */
async function connectAsNewest(pool: VaultPool, closing: AbortSignal): Promise<PoolClient> {
  for (;;) {
    const client = await pool.connect()
    const { user } = asPgClient(client).connectionParameters
    if (user === pool.lease.status().username) return client
    client.release(true)
    await sleep(pauseMs, undefined, { signal: closing })
  }
}

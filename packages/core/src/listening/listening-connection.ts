/** What was notified, as far as it is needed here. */
export interface Notified {
  readonly channel: string
  readonly payload: string
}

/** What a connection that listens is told of. */
interface Ears<Notification> {
  heard(notification: Notification): void
  /** Nothing is heard any more. */
  lost(error: Error): void
}

/** A connection that is held so that it can listen. */
export interface HeldConnection {
  run(statement: string): Promise<unknown>
  /** Gives it back: it listens to nothing, or has failed. */
  giveBack(failure: Error | undefined): unknown
}

/**
 * Holds a connection of the newest user.
 *
 * @throws the pool's own error.
 */
export type Hold<Notification> = (ears: Ears<Notification>, closing: AbortSignal) => Promise<HeldConnection>

interface Channels<Notification> {
  readonly names: readonly string[]
  /** A channel of our own: a mark on it is at the same place among all notifications for every connection. */
  readonly marks: string
  readonly tell: (notification: Notification) => void
}

/** A connection that listens, and tells what it hears once it is its turn. */
export class ListeningConnection<Notification extends Notified> {
  /** Resolves with why it hears nothing any more. */
  readonly lost: Promise<Error>
  readonly #channels: Channels<Notification>
  readonly #isLost: (error: Error) => void
  #held: HeldConnection | undefined
  /** What was heard before it is its turn to tell. */
  #kept: Notification[] | undefined = []
  #mark: { readonly value: string; reached(): void } | undefined
  #over = false

  private constructor(channels: Channels<Notification>) {
    this.#channels = channels
    let isLost = (_error: Error): void => {}
    this.lost = new Promise((resolve) => {
      isLost = resolve
    })
    this.#isLost = isLost
  }

  /** @throws the pool's own error. */
  static async open<Notification extends Notified>(
    hold: Hold<Notification>,
    channels: Channels<Notification>,
    closing: AbortSignal,
  ): Promise<ListeningConnection<Notification>> {
    const listening = new ListeningConnection(channels)
    const heard = (notification: Notification): void => listening.#heard(notification)
    const held = await hold({ heard, lost: listening.#isLost }, closing)
    listening.#held = held
    try {
      const all = [...channels.names, channels.marks].map((channel) => `LISTEN ${identifier(channel)}`)
      await held.run(all.join('; '))
      return listening
    } catch (error) {
      await listening.leave()
      throw error
    }
  }

  /** Puts a mark into the order of all notifications. */
  async putMark(value: string): Promise<void> {
    await this.#held?.run(`NOTIFY ${identifier(this.#channels.marks)}, '${value}'`)
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
    for (const each of kept) this.#channels.tell(each)
  }

  /** Listens no more, and gives the connection back. */
  async leave(): Promise<void> {
    this.#over = true
    const failure = await this.#held?.run('UNLISTEN *').then(
      () => undefined,
      (error: Error) => error,
    )
    await this.#held?.giveBack(failure)
  }

  #heard(notification: Notification): void {
    const { marks, tell } = this.#channels
    if (notification.channel === marks) {
      if (notification.payload === this.#mark?.value) this.#mark.reached()
    } else if (!this.#over) {
      if (this.#kept) this.#kept.push(notification)
      else tell(notification)
    }
  }
}

function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

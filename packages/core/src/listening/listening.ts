import { randomUUID } from 'node:crypto'
import { EventEmitter, once } from 'node:events'
import { InvalidOptionError } from '../errors.ts'
import type { LeaseManager } from '../lease/manager.ts'
import type { LeaseState } from '../lease/status.ts'
import { awaited, deadlineAfter, pause, systemClock } from '../resilience/clock.ts'
import { type Hold, ListeningConnection, type Notified } from './listening-connection.ts'

/** What a `Listening` tells. */
export interface ListeningEvents {
  /** Its connection was lost. What is notified before `restored` is not heard. */
  lost: [error: Error]
  /** It hears again. What was notified meanwhile has to be found out in another way. */
  restored: []
}

/** What `listen()` gives: it hears until it is closed. */
export interface Listening extends EventEmitter<ListeningEvents>, AsyncDisposable {
  /** Ends it, and gives its connection back. Closing twice is closing once. */
  close(): Promise<void>
}

const firstPauseMs = 100
const longestPauseMs = 5_000
/** An old connection that has not told what came before the mark in this time is given up. */
const toldWithinMs = 5_000
const longestChannelBytes = 63

/** What gives the connections that listen. */
interface ListeningPool<Notification> {
  readonly lease: LeaseManager
  /** It was ended, perhaps before what listens on it. */
  readonly hasEnded: () => boolean
  readonly hold: Hold<Notification>
}

/**
 * Hears what is notified on channels of PostgreSQL, also while database users replace each other: the next connection listens
 * before the old one stops, and each notification is told once, in the server's order.
 *
 * @throws InvalidOptionError for no channel, or for a name that PostgreSQL would cut.
 * @throws the pool's own error when it cannot begin.
 */
export async function listenOn<Notification extends Notified>(
  pool: ListeningPool<Notification>,
  channels: readonly string[],
  onNotification: (notification: Notification) => unknown,
): Promise<Listening> {
  checkChannels(channels)
  const listening = new PoolListening(pool, channels, onNotification)
  await listening.begin()
  return listening
}

class PoolListening<Notification extends Notified>
  extends EventEmitter<ListeningEvents>
  implements Listening
{
  readonly #pool: ListeningPool<Notification>
  readonly #channels: readonly string[]
  readonly #onNotification: (notification: Notification) => unknown
  readonly #marks = `vault_lease_${randomUUID()}`
  readonly #closing = new AbortController()
  readonly #isClosing = once(this.#closing.signal, 'abort').then(() => {})
  #following: Promise<void> = Promise.resolve()
  #rotation = nextTime()

  constructor(
    pool: ListeningPool<Notification>,
    channels: readonly string[],
    onNotification: (notification: Notification) => unknown,
  ) {
    super()
    this.#pool = pool
    this.#channels = channels
    this.#onNotification = onNotification
  }

  async begin(): Promise<void> {
    const first = await this.#open()
    first.tell()
    this.#pool.lease.on('rotated', this.#onRotated).on('state', this.#onState)
    this.#following = awaited(systemClock, this.#follow(first))
  }

  async close(): Promise<void> {
    this.#closing.abort()
    this.#pool.lease.off('rotated', this.#onRotated).off('state', this.#onState)
    await this.#following
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  readonly #onRotated = (): void => this.#rotation.hasCome()

  /** Without it the pool would wait for its connection. */
  readonly #onState = ({ to }: { readonly to: LeaseState }): void => {
    if (to === 'closing') void this.close()
  }

  /** Never rejects. */
  async #follow(first: ListeningConnection<Notification>): Promise<void> {
    const { signal } = this.#closing
    let current = first
    for (;;) {
      const lost = await Promise.race([this.#isClosing, current.lost, this.#rotation.come])
      if (signal.aborted) break
      current = lost ? await this.#restore(current, lost) : await this.#replace(current)
    }
    await current.leave()
  }

  /** Meanwhile the old one tells what it hears. */
  async #replace(old: ListeningConnection<Notification>): Promise<ListeningConnection<Notification>> {
    this.#rotation = nextTime()
    const next = await this.#openSometime(old.lost)
    if (!next) return old
    const mark = randomUUID()
    // Either may hear of it first.
    const passed = Promise.all([next.keepFrom(mark), old.tellUntil(mark)]).then(() => 'passed' as const)
    // A mark that could not be put is noticed by the loss of who was to put it.
    next.putMark(mark).catch(() => {})
    const limit = deadlineAfter(systemClock, toldWithinMs, () => new Error('It does not tell what it hears.'))
    const outcome = await Promise.race([
      passed,
      old.lost,
      next.lost.then(() => 'next lost' as const),
      once(limit.signal, 'abort').then(() => limit.signal.reason as Error),
      this.#isClosing,
    ])
    limit[Symbol.dispose]()
    if (outcome === undefined || outcome === 'next lost') {
      old.tellOn()
      await next.leave()
      this.#rotation.hasCome()
      return old
    }
    if (outcome !== 'passed') this.emit('lost', outcome)
    next.tell()
    if (outcome !== 'passed') this.emit('restored')
    await old.leave()
    return next
  }

  async #restore(
    old: ListeningConnection<Notification>,
    error: Error,
  ): Promise<ListeningConnection<Notification>> {
    this.emit('lost', error)
    await old.leave()
    const next = await this.#openSometime()
    if (!next) return old
    next.tell()
    this.emit('restored')
    return next
  }

  /** Tries until it has one, with growing pauses. None when that is over before. */
  async #openSometime(
    over: Promise<unknown> = this.#isClosing,
  ): Promise<ListeningConnection<Notification> | undefined> {
    const stop = new AbortController()
    const stopped = Promise.race([over, this.#isClosing]).then(() => stop.abort())
    for (let pauseMs = firstPauseMs; !stop.signal.aborted; pauseMs = Math.min(longestPauseMs, pauseMs * 2)) {
      // It was ended before what listens on it.
      if (this.#pool.hasEnded()) this.#closing.abort()
      const opening = this.#open().catch(() => undefined)
      // In a full pool it may wait for the very connection that is over.
      const opened = await Promise.race([opening, stopped])
      if (stop.signal.aborted) void opening.then((late) => late?.leave())
      else if (opened) return opened
      else await pause(systemClock, pauseMs, stop.signal)
    }
    return undefined
  }

  #open(): Promise<ListeningConnection<Notification>> {
    const tell = (notification: Notification): void => void this.#told(notification)
    const channels = { names: this.#channels, marks: this.#marks, tell }
    return ListeningConnection.open(this.#pool.hold, channels, this.#closing.signal)
  }

  async #told(notification: Notification): Promise<void> {
    try {
      await this.#onNotification(notification)
    } catch (error) {
      const warning = `What listens to "${notification.channel}" threw: ${String(error)}`
      process.emitWarning(warning, 'VaultLeaseWarning')
    }
  }
}

function checkChannels(channels: readonly string[]): void {
  const isName = (channel: unknown): boolean =>
    typeof channel === 'string' && channel !== '' && Buffer.byteLength(channel) <= longestChannelBytes
  if (Array.isArray(channels) && channels.length > 0 && channels.every(isName)) return
  throw new InvalidOptionError(
    `Give listen() the names of channels, each of 1 to ${longestChannelBytes} bytes: PostgreSQL cuts longer ones.`,
  )
}

/** Something that comes again and again. */
function nextTime(): { readonly come: Promise<void>; hasCome(): void } {
  let hasCome = (): void => {}
  const come = new Promise<void>((resolve) => {
    hasCome = resolve
  })
  return { come, hasCome }
}

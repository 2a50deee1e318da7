import { setImmediate } from 'node:timers/promises'
import type { Credential } from '@vault-lease/core'
import { type Clock, sleep, systemClock, unlessAborted } from '@vault-lease/core/adapter'
import type { LeasedConnection, Logins } from './leased-connections.ts'
import { isRefusal } from './refusal.ts'
import { Transaction } from './transaction.ts'

const lookEveryMs = 5

/** What connections of every driver have in common: when they change their user, and what they say of it. */
export abstract class RedisConnection implements LeasedConnection {
  protected readonly logins: Logins
  protected readonly clock: Clock
  protected readonly transaction: Transaction = new Transaction()
  #credential: Credential | undefined
  /** Aborted when the socket is closed. */
  #open = new AbortController()

  constructor(logins: Logins, clock: Clock = systemClock) {
    this.logins = logins
    this.clock = clock
  }

  get credential(): Credential | undefined {
    return this.#credential
  }

  /** Whether commands are under way on it, or a transaction is open. */
  protected abstract readonly isUsed: boolean

  /** The way to log in anew at this moment, if there is one; `undefined`: it is to be asked again a little later. */
  protected abstract login(signal: AbortSignal): ((credential: Credential) => Promise<void>) | undefined

  abstract replace(reason: () => Error): Promise<boolean>

  async change(generation: number, signal: AbortSignal): Promise<void> {
    const open = AbortSignal.any([signal, this.#open.signal])
    try {
      while (this.#credential?.generation === generation) await this.#changeWhenPossible(open)
    } catch (error) {
      if (signal.aborted) throw signal.reason
      // It is gone, and comes back as somebody else.
      if (open.aborted) return
      throw error
    }
  }

  async whenIdle(signal: AbortSignal): Promise<void> {
    // What was begun just before has not been written yet.
    await setImmediate()
    while (this.isUsed && !signal.aborted) await sleep(this.clock, lookEveryMs, signal)
  }

  /** Aborted when the socket of this moment is closed. */
  protected get open(): AbortSignal {
    return this.#open.signal
  }

  /** As whom it is about to log in on a new socket. */
  protected logsInAs(credential: Credential | undefined): void {
    this.#credential = credential
  }

  /** The server has let the user in. */
  protected isLetIn(credential: Credential): void {
    this.logins.accepted(credential)
    this.logins.loggedIn(credential)
  }

  /** It was replaced while it was on its way. */
  protected async catchUp(): Promise<void> {
    const generation = this.#credential?.generation
    const { current } = this.logins
    if (!current || generation === undefined || generation === current.generation) return
    await this.change(generation, this.#open.signal).catch(() => {})
  }

  /** The socket is closed. */
  protected isClosed(): void {
    this.#credential = undefined
    this.#open.abort(new Error('the connection is closed'))
    this.#open = new AbortController()
  }

  async #changeWhenPossible(signal: AbortSignal): Promise<void> {
    while (this.transaction.ended) await unlessAborted(this.transaction.ended, signal)
    signal.throwIfAborted()
    const login = this.login(signal)
    if (!login) {
      await sleep(this.clock, lookEveryMs, signal)
      return
    }
    // The newest of this moment: what was in force when the change began may be gone by now.
    const before = this.#credential
    const { current: credential } = this.logins
    if (!credential || credential.generation === before?.generation)
      throw new Error('there is no credential to change to')
    // From now on it may belong to either: whoever waits until nobody has the next user any more waits for this one, too.
    this.#credential = credential
    try {
      await unlessAborted(login(credential), signal)
    } catch (error) {
      if (this.#credential === credential) this.#credential = before
      if (error instanceof Error && becameSubscriber.test(error.message)) return
      if (isRefusal(error)) void this.logins.refused(credential, error)
      throw error
    }
    this.isLetIn(credential)
  }
}

/** What a server says that speaks RESP2. */
const becameSubscriber = /^ERR Can't execute 'auth'/i

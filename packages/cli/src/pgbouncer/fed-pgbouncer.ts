import type { Credential, LeaseManager } from '@vault-lease/core'
import {
  attach,
  type Clock,
  type Consumer,
  type PoolAttachment,
  type Proof,
  pause,
  type Retired,
  type RetireTerms,
  settlesWithin,
  stoppable,
  systemClock,
} from '@vault-lease/core/adapter'
import type { Database } from '../database/database.ts'
import { prove } from '../prove.ts'
import { AdminConsole } from './admin-console.ts'
import type { Include } from './include.ts'
import { untilNoSessions } from './old-sessions.ts'
import { PgBouncerError } from './pgbouncer-error.ts'
import { oldOnesClosed, putInForce } from './put-in-force.ts'

interface Fed {
  readonly database: Database
  readonly include: Include
  /** Where its console is. */
  readonly consoleUrl: string
  onInForce(username: string, tookMs: number): void
  /** Tried again, and told again only when the reason is another one. */
  onFailed(error: unknown): void
}

const nothing: Retired = { closed: 0, forced: 0 }
const pauseMs = 500
const answerWithinMs = 5_000
const finishWithinMs = 10_000

/** A PgBouncer that lives on a lease, as a pool does: it comes to the database as whom the file says that it includes. */
export class FedPgBouncer implements Consumer {
  readonly place: string
  readonly attachment: PoolAttachment
  readonly #fed: Fed
  readonly #clock: Clock
  readonly #leaving = new AbortController()
  /** By generation, with the newest password. */
  readonly #credentials = new Map<number, Credential>()
  #hasBegun = false
  #switch: { readonly done: Promise<void>; readonly outdated: AbortController } | undefined

  constructor(lease: LeaseManager, fed: Fed, clock: Clock = systemClock) {
    this.#fed = fed
    this.#clock = clock
    this.place = fed.database.place
    this.attachment = attach(lease, this)
  }

  /**
   * Resolves when the first user is in force, however long PgBouncer is awaited.
   *
   * @throws PgBouncerError when it does not take the user.
   */
  async begin(): Promise<void> {
    await this.attachment.credential()
    await this.#switch?.done
  }

  /** A change of users that has begun is finished. Tells whether PgBouncer still lives on the lease. */
  async end(): Promise<boolean> {
    this.#leaving.abort()
    if (this.#switch) await settlesWithin(this.#switch.done, finishWithinMs)
    if (!this.#hasBegun) return false
    try {
      await using admin = await AdminConsole.open(this.#fed.consoleUrl, { answerWithinMs })
      await admin.run('SHOW VERSION')
      return true
    } catch {
      return false
    }
  }

  async prove(credential: Credential, signal: AbortSignal): Promise<Proof> {
    const proof = await prove(this.#fed.database, credential, signal)
    this.#credentials.set(credential.generation, credential)
    return proof
  }

  follow(credential: Credential): void {
    const before = this.#switch
    before?.outdated.abort()
    const outdated = new AbortController()
    const done = this.#switchTo(credential, outdated.signal, before?.done)
    // It is looked at by `begin()`, and told.
    done.catch(() => {})
    this.#switch = { done, outdated }
  }

  async retire(generation: number, { signal }: RetireTerms): Promise<Retired> {
    const credential = this.#credentials.get(generation)
    if (!credential) return nothing
    this.#credentials.delete(generation)
    await this.#leftByPgBouncer(signal)
    return await untilNoSessions(this.#fed.database, credential, this.#clock, signal)
  }

  /** Until it is done, PgBouncer may be away for a while, or for good. */
  async #switchTo(credential: Credential, outdated: AbortSignal, before?: Promise<void>): Promise<void> {
    const { include, database, consoleUrl, onInForce, onFailed } = this.#fed
    const { username } = credential
    const began = this.#clock.now()
    const over = AbortSignal.any([outdated, this.#leaving.signal])
    let isWritten = false
    let told: string | undefined
    await before?.catch(() => {})
    for (;;) {
      try {
        if (outdated.aborted) return
        // Should PgBouncer not be there, or end in the midst of it, it begins with the right user.
        if (!isWritten) include.write(credential)
        isWritten = true
        await using admin = await AdminConsole.open(consoleUrl, { answerWithinMs })
        await putInForce(admin, database.address.database, username, this.#clock)
        this.#hasBegun = true
        return onInForce(username, Math.round(this.#clock.now() - began))
      } catch (error) {
        const isFinal = error instanceof PgBouncerError && !error.retryable
        if (isFinal && !this.#hasBegun) throw error
        const message = String(error)
        if (message !== told) onFailed(error)
        told = message
        if (over.aborted) return
        await pause(this.#clock, pauseMs, over)
      }
    }
  }

  /** It has no connection of an old user any more, or cannot be asked. */
  async #leftByPgBouncer(signal: AbortSignal): Promise<void> {
    const isOver = new Promise<void>((resolve) => {
      if (signal.aborted) resolve()
      signal.addEventListener('abort', () => resolve(), { once: true })
    })
    try {
      await Promise.race([this.#switch?.done, isOver])
      await using admin = await AdminConsole.open(this.#fed.consoleUrl)
      admin.detach()
      const closed = (): Promise<void> => oldOnesClosed(admin, this.#fed.database.address.database)
      await stoppable(signal, () => admin.end(), closed)
    } catch {
      // The database knows who is still there.
    }
  }
}

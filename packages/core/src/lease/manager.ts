import { EventEmitter } from 'node:events'
import { InvalidOptionError } from '../errors.ts'
import { emitTo, type LeaseEvents } from '../observe/events.ts'
import { awaited, type Clock, deadlineAfter } from '../resilience/clock.ts'
import type { Consumer } from './consumer.ts'
import type { Credential } from './credential.ts'
import type { LeaseEngine } from './engine.ts'
import type { SharedEngine } from './shared-engine.ts'
import type { Share } from './shares.ts'
import type { LeaseState, LeaseStatus } from './status.ts'

/** How long a caller is ready to wait for a credential. */
export interface WaitOptions {
  readonly signal?: AbortSignal | undefined
  /** Milliseconds. Without it, the wait ends with the attempt under way. */
  readonly timeoutMs?: number | undefined
}

const closeTimeoutMs = 10_000

function checkTimeout(timeoutMs: number | undefined): void {
  if (timeoutMs === undefined || (typeof timeoutMs === 'number' && timeoutMs >= 0)) return
  throw new InvalidOptionError('The option "timeoutMs" takes milliseconds, 0 or more.')
}

/**
 * Keeps one database credential in force: fetches it, renews its lease, replaces it before it dies, and gives it back.
 * Managers of the same role in one process stand on one lease, which ends with the last of them. Made by `createLease()`.
 */
export class LeaseManager extends EventEmitter<LeaseEvents> implements AsyncDisposable {
  readonly #share: Share<SharedEngine>
  readonly #clock: Clock
  readonly #consumers = new Set<Consumer>()
  #leaving: 'closing' | 'closed' | undefined
  #closed: Promise<void> | undefined

  constructor(share: Share<SharedEngine>, clock: Clock) {
    super()
    this.#share = share
    this.#clock = clock
    share.value.listeners.add(this)
  }

  /** The credential to connect with at this moment; `undefined` when there is none that may be used. */
  get current(): Credential | undefined {
    return this.#leaving ? undefined : this.#engine.current
  }

  /** The generation in force, whose connections may be used; 0 when there is none. */
  get generation(): number {
    return this.#leaving ? 0 : this.#engine.generation
  }

  /**
   * Waits until a credential is in force. The first call starts the manager.
   *
   * @throws CredentialsUnavailableError when none can be had within the wait, with the reason as `cause`.
   */
  async ready(options: WaitOptions = {}): Promise<void> {
    await this.credential(options)
  }

  /**
   * The credential to connect with. Waits for an attempt under way, but not through a backoff: when the last attempt
   * failed and nothing usable is left, it throws at once while the manager goes on trying.
   *
   * @throws CredentialsUnavailableError when none can be had within the wait, with the reason as `cause`.
   * @throws LeaseClosedError after `close()`.
   */
  async credential({ signal, timeoutMs }: WaitOptions = {}): Promise<Credential> {
    checkTimeout(timeoutMs)
    signal?.throwIfAborted()
    const engine = this.#engine
    if (this.current) return this.current
    if (this.#leaving) throw engine.closedError()
    const waiting = (): string =>
      engine.attempting ? ' An attempt is still waiting, for Vault or for the database to answer.' : ''
    const timeout = (): Error => engine.unavailable(`No credential came within ${timeoutMs} ms.${waiting()}`)
    const limit = timeoutMs === undefined ? undefined : deadlineAfter(this.#clock, timeoutMs, timeout, signal)
    try {
      return await awaited(this.#clock, engine.credential(limit?.signal ?? signal))
    } finally {
      limit?.[Symbol.dispose]()
    }
  }

  /** A snapshot of where the lease stands. It holds no secret. */
  status(): LeaseStatus {
    const status = this.#engine.status()
    return this.#leaving ? { ...status, state: this.#leaving } : status
  }

  /** Takes part in rotations from now on. Returns the way to leave again. For adapters. */
  attach(consumer: Consumer): () => void {
    this.#consumers.add(consumer)
    this.#engine.add(consumer)
    return () => {
      this.#consumers.delete(consumer)
      this.#engine.remove(consumer)
    }
  }

  /**
   * Replaces the credential now, for all who share the lease, and resolves when the new one is in force. A rotation already
   * under way counts; when it fails, one more is made. Where the source has the same credential still, connections are replaced by new ones of the same user.
   *
   * @throws what made the rotation fail; the previous credential stays in force then.
   */
  async rotate(): Promise<void> {
    if (this.#leaving) throw this.#engine.closedError()
    await awaited(this.#clock, this.#engine.rotate())
  }

  /**
   * The database refused this generation when an adapter connected with it, so it is dead whatever its lease says. Rotates
   * once for all callers, with growing gaps when it happens again and again, and tells whether a newer credential is in
   * force, so that connecting again makes sense. For adapters.
   */
  refused(generation: number): Promise<boolean> {
    return this.#engine.refused(generation)
  }

  /**
   * A statement was denied in a way that also happens when the database user is gone. Proves the credential once, and
   * rotates if the database refuses it. Meanwhile new connections and acquires wait. For adapters.
   */
  suspected(generation: number): void {
    this.#engine.suspected(generation)
  }

  /**
   * Drains every connection of its own. The last manager on the lease also revokes it, and gives back the token if the
   * library logged in for it. Connections still in use after `timeoutMs` (default 10 s) are closed under their holder.
   * Closing twice is closing once.
   */
  async close({ timeoutMs = closeTimeoutMs }: { readonly timeoutMs?: number } = {}): Promise<void> {
    checkTimeout(timeoutMs)
    this.#closed ??= awaited(this.#clock, this.#close(timeoutMs))
    await this.#closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  get #engine(): LeaseEngine {
    return this.#share.value.engine
  }

  async #close(timeoutMs: number): Promise<void> {
    const engine = this.#engine
    if (this.#share.release()) {
      await engine.close(timeoutMs)
      return
    }
    this.#share.value.listeners.delete(this)
    this.#leave('closing')
    await engine.part(this.#consumers, timeoutMs)
    for (const consumer of this.#consumers) engine.remove(consumer)
    this.#leave('closed')
  }

  #leave(to: LeaseState & ('closing' | 'closed')): void {
    const { source, state: from } = this.status()
    this.#leaving = to
    emitTo(this, 'state', { source, from, to })
  }
}

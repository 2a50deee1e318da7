import { EventEmitter } from 'node:events'
import { CredentialsUnavailableError, InvalidOptionError, LeaseClosedError } from '../errors.ts'
import { awaited, type Clock, sleep } from '../resilience/clock.ts'
import { settled } from '../resilience/settle.ts'
import type { Share } from '../resilience/shares.ts'
import { Attachment, type PoolAttachment } from './attachment.ts'
import type { Consumer } from './consumer.ts'
import type { Credential } from './credential.ts'
import type { LeaseEngine } from './engine.ts'
import { emitTo, type LeaseEventEmitter } from './events.ts'
import type { LeaseStatus } from './status.ts'
import { checkTimeout, type WaitOptions, waitFor } from './wait.ts'

/** The types of node:events know no union of names. */
const Emitter: new () => LeaseEventEmitter = EventEmitter as never

/** What marks a lease manager, whichever copy of this library made it; the value is the version of what adapters use of it. */
const brand: unique symbol = Symbol.for('vault-lease.LeaseManager')
const surface = 2

/**
 * Keeps one database credential in force: fetches it, renews its lease, replaces it before it dies, and gives it back.
 * Managers of the same role in one process stand on one lease, which ends with the last of them. Made by `createLease()`.
 *
 * A class, so that frameworks can inject it; `instanceof` holds for a lease of any copy of this library.
 */
export abstract class LeaseManager extends Emitter implements AsyncDisposable {
  static override [Symbol.hasInstance](value: unknown): boolean {
    return typeof value === 'object' && value !== null && brand in value
  }

  /** The credential to connect with at this moment; `undefined` when there is none that may be used. */
  abstract readonly current: Credential | undefined
  /** The generation in force, whose connections may be used; 0 when there is none. */
  abstract readonly generation: number
  /**
   * Waits until a credential is in force. The first call starts the manager.
   *
   * Without `timeoutMs` the wait ends with the attempt under way. With it, it goes on through failures that pass, such as a
   * sealed Vault or a sidecar that is not there yet, and ends early only for what lasts, such as a role that does not exist.
   *
   * @throws CredentialsUnavailableError when none can be had within the wait, with the reason as `cause`.
   * @throws LeaseClosedError after `close()`.
   */
  abstract ready(options?: WaitOptions): Promise<void>
  /**
   * The credential to connect with. Waits for an attempt under way, but not through a backoff: when the last attempt
   * failed and nothing usable is left, it throws at once while the manager goes on trying. Only a user that nobody drops, of a
   * static role, a file or a function, may have another password when it is refused: for that it waits some 15 s.
   *
   * @throws CredentialsUnavailableError when none can be had within the wait, with the reason as `cause`.
   * @throws LeaseClosedError after `close()`.
   */
  abstract credential(options?: WaitOptions): Promise<Credential>
  /** A snapshot of where the lease stands, and each pool of this manager on it. It holds no secret. */
  abstract status(): LeaseStatus
  /**
   * Replaces the credential now, for all who share the lease, and resolves when the new one is in force. A rotation already
   * under way counts; when it fails, one more is made. Every connection is replaced, also where the source has the same user
   * still. A pool whose database does not answer goes over later than the others.
   *
   * @throws what made the rotation fail; the previous credential stays in force then.
   * @throws CredentialsUnavailableError when it has not succeeded within `timeoutMs` (default: no limit but that of its attempts). It goes on.
   * @throws LeaseClosedError after `close()`, and when that comes before it has succeeded.
   */
  abstract rotate(options?: WaitOptions): Promise<void>
  /**
   * Drains every connection of its own. The last manager on the lease also revokes it, and gives back the token if the
   * library logged in for it. Resolves after `timeoutMs` (default 15,000) at the latest; connections that are still in use
   * when half of it is over, or 5 s before its end, are closed under their holder. `signal` ends their time when it is
   * aborted. Closing twice is closing once.
   */
  abstract close(options?: WaitOptions): Promise<void>

  abstract [Symbol.asyncDispose](): Promise<void>
}

const closeTimeoutMs = 15_000
const shortestPauseMs = 20
const answersWithinMs = 2_000

interface Branded {
  readonly [brand]: number
  attach(consumer: Consumer): PoolAttachment
}

/**
 * Takes part in the rotations of a lease, from the first use of the attachment on. For adapters.
 *
 * @throws InvalidOptionError when it is not a lease manager that this version can work with.
 */
export function attach(lease: LeaseManager, consumer: Consumer): PoolAttachment {
  checkLeaseManager(lease)
  return (lease as LeaseManager & Branded).attach(consumer)
}

/** @throws InvalidOptionError when it is not a lease manager that this version can work with. */
export function checkLeaseManager(lease: unknown): void {
  if (!(lease instanceof LeaseManager))
    throw new InvalidOptionError('The option "lease" takes what createLease() returns.')
  if ((lease as LeaseManager & Branded)[brand] !== surface)
    throw new InvalidOptionError(
      'The lease was made by another version of @vault-lease/core than this adapter works with: install one version of all @vault-lease packages.',
    )
}

interface ManagerParts {
  /** Where the credential comes from, for messages and events. */
  readonly description: string
  readonly clock: Clock
  /** Takes part in the lease that managers of the same role share. */
  readonly join: () => Share<LeaseEngine>
}

/** What `createLease()` makes: a handle on a lease that others may share, taken with its first use. */
export class Manager extends LeaseManager {
  readonly #parts: ManagerParts
  readonly #attachments = new Set<Attachment>()
  #share: Share<LeaseEngine> | undefined
  #leaving: 'closing' | 'closed' | undefined
  #closed: Promise<void> | undefined

  constructor(parts: ManagerParts) {
    super()
    this.#parts = parts
  }

  get current(): Credential | undefined {
    if (this.#leaving || !this.#share) return undefined
    if (this.#attachments.size === 0) return this.#share.value.current
    return this.#newest?.current
  }

  get generation(): number {
    if (this.#leaving || !this.#share) return 0
    if (this.#attachments.size === 0) return this.#share.value.generation
    return this.#newest?.generation ?? 0
  }

  async ready(options: WaitOptions = {}): Promise<void> {
    if (options.timeoutMs === undefined) await this.credential(options)
    else await this.#patiently(options)
  }

  async credential(options: WaitOptions = {}): Promise<Credential> {
    checkTimeout(options.timeoutMs)
    options.signal?.throwIfAborted()
    if (this.#leaving) throw this.#closedError()
    if (this.current) return this.current
    const engine = this.#join()
    if (this.#attachments.size > 0) return await anyOf(this.#attachments, options)
    const late = (): Error => engine.late(options.timeoutMs)
    return await waitFor(this.#parts.clock, options, late, (signal) => engine.credential(signal))
  }

  status(): LeaseStatus {
    const places = Array.from(this.#attachments, (attachment) => attachment.status())
    const status = this.#share?.value.status() ?? notStarted(this.#parts.description)
    return { ...status, ...(this.#leaving && { state: this.#leaving }), places }
  }

  attach(consumer: Consumer): Attachment {
    const leave = (): void => void this.#attachments.delete(attachment)
    const attachment: Attachment = new Attachment(consumer, () => this.#join(), leave)
    this.#attachments.add(attachment)
    if (this.#share) attachment.join()
    return attachment
  }

  async rotate(options: WaitOptions = {}): Promise<void> {
    if (this.#leaving) throw this.#closedError()
    const engine = this.#join()
    const late = (): Error => engine.late(options.timeoutMs)
    await waitFor(this.#parts.clock, options, late, async (signal) => {
      await engine.rotate(signal)
      // It is in force with the first who has proven it: the others of this manager are about to have an answer too.
      const decided = Promise.all(Array.from(this.#attachments, (attachment) => attachment.decided))
      await settled(this.#parts.clock, decided, answersWithinMs)
    })
  }

  async close({ timeoutMs = closeTimeoutMs, signal }: WaitOptions = {}): Promise<void> {
    checkTimeout(timeoutMs)
    this.#closed ??= awaited(this.#parts.clock, this.#close(timeoutMs, signal))
    await this.#closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** Takes part in the lease, with every consumer that was attached so far. */
  #join(): LeaseEngine {
    if (this.#leaving) throw this.#closedError()
    if (!this.#share) {
      this.#share = this.#parts.join()
      this.#share.value.listeners.add(this)
      for (const attachment of this.#attachments) attachment.join()
    }
    return this.#share.value
  }

  get #newest(): Attachment | undefined {
    const usable = [...this.#attachments].filter(({ current }) => current !== undefined)
    return usable.sort((a, b) => b.generation - a.generation)[0]
  }

  async #patiently(options: WaitOptions): Promise<void> {
    const { clock } = this.#parts
    let last: Error | undefined
    const late = (): Error =>
      new CredentialsUnavailableError(
        `No credential came within ${options.timeoutMs} ms. ${last?.message ?? ''}`,
        {
          cause: last?.cause ?? last,
        },
      )
    await waitFor(clock, options, late, async (signal) => {
      for (;;) {
        try {
          return await this.credential({ signal })
        } catch (error) {
          const lasts = this.#share?.value.lastFailure?.retryable === false
          if (!(error instanceof CredentialsUnavailableError) || lasts) throw error
          last = error
          await sleep(clock, Math.max(shortestPauseMs, error.nextAttemptInMs ?? 0), signal)
        }
      }
    })
  }

  async #close(timeoutMs: number, signal: AbortSignal | undefined): Promise<void> {
    if (this.#share?.release()) return await this.#share.value.close(timeoutMs, signal)
    this.#leave('closing')
    const parting = Array.from(this.#attachments, (attachment) => attachment.close({ timeoutMs, signal }))
    await settled(this.#parts.clock, Promise.all(parting), timeoutMs)
    this.#share?.value.listeners.delete(this)
    this.#leave('closed')
  }

  #leave(to: 'closing' | 'closed'): void {
    const { source, state: from } = this.status()
    this.#leaving = to
    emitTo(this, 'state', { source, from, to })
  }

  #closedError(): LeaseClosedError {
    return new LeaseClosedError(`The lease of ${this.#parts.description} was closed.`)
  }
}

Object.defineProperty(Manager.prototype, brand, { value: surface })

/** The credential of the first consumer that can have one. */
async function anyOf(attachments: Iterable<Attachment>, options: WaitOptions): Promise<Credential> {
  try {
    return await Promise.any(Array.from(attachments, (attachment) => attachment.credential(options)))
  } catch (error) {
    throw error instanceof AggregateError ? error.errors[0] : error
  }
}

function notStarted(source: string): Omit<LeaseStatus, 'places'> {
  return {
    state: 'starting',
    source,
    generation: 0,
    username: undefined,
    expiresInMs: undefined,
    next: undefined,
    failures: 0,
    lastError: undefined,
    token: undefined,
    retiring: [],
    circuit: undefined,
  }
}

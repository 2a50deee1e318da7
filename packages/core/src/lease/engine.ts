import { type CredentialsUnavailableError, LeaseClosedError, type VaultLeaseError } from '../errors.ts'
import type { Clock } from '../resilience/clock.ts'
import { settled, unlessAborted } from '../resilience/settle.ts'
import type { CredentialSource } from '../source/source.ts'
import type { AttachedLease, Attachment } from './attachment.ts'
import { Attachments } from './attachments.ts'
import type { Credential } from './credential.ts'
import { Dismissal } from './dismissal.ts'
import { announce, type LeaseEventEmitter, type LeaseStep, type Tell } from './events.ts'
import { ExpectedPassword } from './expected-password.ts'
import { asLeaseError, stepOf } from './failures.ts'
import type { Generation } from './generation.ts'
import { OldGenerations } from './old-generations.ts'
import { type OpenLease, openLeases } from './open-leases.ts'
import { Rotation } from './rotation.ts'
import { expiry, nextAction } from './schedule.ts'
import { Standing } from './standing.ts'
import { type LeaseState, type LeaseStatus, type PlaceState, stateOf } from './status.ts'
import { unavailable } from './unavailable.ts'
import { drainTimeOf } from './wait.ts'
import { WakingUp } from './waking-up.ts'
import { type Attempt, Work } from './work.ts'

/** What an engine is made of. */
export interface LeaseEngineParts {
  readonly source: CredentialSource
  readonly clock: Clock
  /** 0 to 1, as Math.random. */
  readonly random: () => number
  readonly drainTimeoutMs: number
}

const finishWorkWithinMs = 2_000

/**
 * Keeps one database credential in force: fetches it, renews its lease, replaces it before it dies, and gives it back. The
 * only place with a timer; every decision about time is made by `schedule.ts`.
 */
export class LeaseEngine implements AttachedLease {
  readonly clock: Clock
  readonly random: () => number
  /** Whoever is told what happens. */
  readonly listeners: Set<LeaseEventEmitter> = new Set()
  readonly #source: CredentialSource
  readonly #standing: Standing
  readonly #attachments = new Attachments()
  readonly #old: OldGenerations
  readonly #rotation: Rotation
  readonly #dismissal: Dismissal
  readonly #work: Work
  readonly #expectedPassword: ExpectedPassword
  readonly #wakingUp: WakingUp

  readonly #open: OpenLease = {
    status: () => ({
      ...this.status(),
      places: Array.from(this.#attachments, (each) => each.status()),
    }),
  }

  #started = false
  #lookAwaited = false
  #cancelTimer: (() => void) | undefined
  #endWatch: (() => void) | undefined
  #closing: Promise<void> | undefined
  #closed = false
  #state: LeaseState = 'starting'

  constructor({ source, clock, random, drainTimeoutMs }: LeaseEngineParts) {
    this.clock = clock
    this.random = random
    this.#source = source
    this.#standing = new Standing(clock, random)
    this.#expectedPassword = new ExpectedPassword(clock)
    const attachments = this.#attachments
    const tell = this.#tell
    const onFailed = (step: LeaseStep, error: unknown, place?: string): void =>
      void this.#tellFailure(step, error, place)
    this.#old = new OldGenerations({ source, attachments, clock, drainTimeoutMs, tell, onFailed })
    const isClosing = (): boolean => this.#closing !== undefined
    const shared = {
      clock,
      standing: this.#standing,
      old: this.#old,
      attachments,
      expectedPassword: this.#expectedPassword,
    }
    this.#rotation = new Rotation({ ...shared, source, tell, onFailed })
    this.#dismissal = new Dismissal({
      ...shared,
      isClosing,
      onDead: ({ number: generation, username }) =>
        tell('expired', { source: source.description, generation, username }),
      onForced: () => this.#tick(),
    })
    this.#work = new Work({
      source,
      clock,
      standing: this.#standing,
      rotation: this.#rotation,
      onFailed: (attempted, error) => this.#failed(attempted, error),
      onGone: (generation) => this.#dismissal.discard(generation, 'lease-gone'),
    })
    this.#wakingUp = new WakingUp({ ...shared, work: this.#work, isClosing, onDoubt: () => this.#tick() })
  }

  get inForce(): Generation | undefined {
    return this.#standing.inForce
  }

  /** The credential in force, for those who have no database of their own to ask. */
  get current(): Credential | undefined {
    this.lookAround()
    return this.#wakingUp.underWay ? undefined : this.#standing.usable?.credential
  }

  /** The generation in force, for them; 0 when there is none. */
  get generation(): number {
    return this.#standing.usable?.number ?? 0
  }

  /** What made the last attempt at the lease fail, until one succeeds. */
  get lastFailure(): VaultLeaseError | undefined {
    return this.#standing.failures.last
  }

  /** Waits for a credential, but not through a backoff, unless that of the same user may be about to come. */
  async credential(signal: AbortSignal | undefined): Promise<Credential> {
    for (;;) {
      if (this.#closing) throw this.closedError()
      if (this.current) return this.current
      const pending =
        this.#wakingUp.underWay ??
        this.#attemptUnderWay(this.#standing.failures.lease.count === 0) ??
        this.#expectedPassword.nextAttempt
      if (!pending) throw this.unavailable()
      await unlessAborted(pending, signal)
    }
  }

  status(): Omit<LeaseStatus, 'places'> {
    const { inForce, deadline, failures, token } = this.#standing
    const now = this.clock.now()
    const next =
      this.#started && !this.#work.doing && !this.#closing ? nextAction(this.#standing.facts()) : undefined
    return {
      state: this.#state,
      source: this.#source.description,
      generation: inForce?.number ?? 0,
      username: inForce?.username,
      expiresInMs: deadline && Math.max(0, deadline - now),
      next: next && { do: next.do, inMs: Math.max(0, next.at - now) },
      failures: failures.lease.count,
      lastError: failures.last?.message,
      token,
      retiring: this.#old.numbers,
      circuit: this.#source.circuit,
    }
  }

  /** Takes a consumer in, which need not wait for what others on the lease wait for. */
  add(attachment: Attachment): void {
    this.#attachments.add(attachment, this.#work.ended + (this.#work.doing ? 1 : 0))
    this.#start()
    if (!this.#standing.inForce) this.#standing.failures.tryNow()
    this.#rotation.joins(attachment)
    this.#tick()
  }

  /** See `LeaseManager`. */
  async rotate(signal: AbortSignal | undefined): Promise<void> {
    if (this.#closing) throw this.closedError()
    this.#start()
    const before = this.#standing.lastGeneration
    while (this.#work.done) await unlessAborted(this.#work.done, signal)
    if (this.#standing.lastGeneration === before && !this.#closing)
      await unlessAborted(this.#begin({ do: 'rotate', at: this.clock.now(), reason: 'manual' }), signal)
    if (this.#standing.lastGeneration > before) return
    throw this.#closing ? this.closedError() : (this.#standing.failures.last ?? this.unavailable())
  }

  pending(attachment: Attachment): Promise<void> | undefined {
    if (this.#closing) throw this.closedError()
    const { failures } = this.#standing
    const seen = this.#attachments.hasSeenOneOf(this.#work.ended, attachment)
    return this.#attemptUnderWay(failures.lease.count === 0 || !seen) ?? this.#expectedPassword.nextAttempt
  }

  judge(attachment: Attachment, credential: Credential, wasProven: boolean): Promise<void> {
    return this.#dismissal.judge(attachment, credential, wasProven)
  }

  askForPassword(credential: Credential): void {
    this.#dismissal.askForPassword(credential)
  }

  lookAround(): void {
    this.#wakingUp.lookAround()
  }

  loggedIn({ place }: Attachment, { generation, username }: Credential): void {
    this.#tell('login', { source: this.#source.description, place, generation, username })
  }

  noted(attachment: Attachment, from: PlaceState, error: VaultLeaseError | undefined): void {
    const { place, state: to } = attachment
    this.#tell('place', { source: this.#source.description, place, from, to, error })
  }

  async part(attachment: Attachment, drainMs: number, signal: AbortSignal | undefined): Promise<void> {
    await this.#old.part(attachment, this.#standing.held, drainMs, signal)
    this.#attachments.delete(attachment)
  }

  /**
   * Drains, revokes, and gives the token back; resolves when the time is over, at the latest. Closing twice is closing once.
   *
   * @param signal ends the time when it is aborted.
   */
  close(timeoutMs: number, signal: AbortSignal | undefined): Promise<void> {
    if (!this.#closing) {
      const closed = this.#close(drainTimeOf(timeoutMs), this.clock.now() + timeoutMs)
      const endNow = (): void => this.#old.closeNow()
      signal?.addEventListener('abort', endNow, { once: true })
      this.#closing = settled(this.clock, closed, timeoutMs).finally(() =>
        signal?.removeEventListener('abort', endNow),
      )
      if (signal?.aborted) endNow()
      this.#expectedPassword.attemptEnded()
      this.#noteState()
    }
    return this.#closing
  }

  closedError(): LeaseClosedError {
    return new LeaseClosedError(`The lease of ${this.#source.description} was closed.`)
  }

  /** That no credential can be had, why, and when it is tried next. */
  unavailable(why?: string): CredentialsUnavailableError {
    const next = this.#work.doing ? undefined : nextAction(this.#standing.facts())
    const nextAttemptInMs = next && Math.max(0, Math.round(next.at - this.clock.now()))
    return unavailable({
      source: this.#source.description,
      why,
      cause: this.#standing.failures.last,
      nextAttemptInMs,
    })
  }

  /** That none came in the time that a caller was ready to wait. */
  late(timeoutMs: number | undefined): CredentialsUnavailableError {
    const waiting = this.#work.doing
      ? ' An attempt is still waiting, for Vault or for the database to answer.'
      : ''
    return this.unavailable(`No credential came within ${Math.round(timeoutMs ?? 0)} ms.${waiting}`)
  }

  readonly #tell: Tell = (name, payload) => announce(this.listeners, name, payload)

  /** An attempt that may bring a credential, begun if it is due; none when it is not expected to help. */
  #attemptUnderWay(helps: boolean): Promise<void> | undefined {
    this.#start()
    if (!this.#work.doing) this.#tick()
    const { doing, done } = this.#work
    // Whatever is under way without a credential, the fetch of one follows it.
    const brings = !this.#standing.usable || doing === 'rotate' || doing === 'look'
    return helps && brings ? done : undefined
  }

  #start(): void {
    if (this.#started) return
    this.#started = true
    openLeases().add(this.#open)
    this.#endWatch = this.#source.watch?.(() => void this.#lookSoon())
  }

  /** The source may have something new, also in comparison with what an attempt under way has found. */
  async #lookSoon(): Promise<void> {
    if (this.#lookAwaited) return
    this.#lookAwaited = true
    await this.#work.done
    this.#lookAwaited = false
    this.#standing.lookNow()
    this.#tick()
  }

  /** Does what is due, or waits for what comes next. */
  #tick(): void {
    this.#attachments.lookAnew()
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
    if (this.#closing) return
    this.lookAround()
    const facts = this.#standing.facts()
    const action = this.#work.doing ? expiry(facts) : nextAction(facts)
    if (!action) return
    if (action.at > facts.now) {
      // A lease without an end has nothing to wait for.
      if (action.at < Number.POSITIVE_INFINITY)
        this.#cancelTimer = this.clock.schedule(action.at - facts.now, () => this.#tick())
    } else if (action.do === 'expire') {
      this.#dismissal.expire()
      this.#tick()
    } else {
      void this.#begin(action)
    }
    this.#noteState()
  }

  #begin(action: Attempt): Promise<void> {
    const done = this.#work.begin(action, () => {
      this.#tick()
      this.#expectedPassword.attemptEnded()
    })
    this.#tick()
    return done
  }

  #failed(attempted: Attempt['do'], error: unknown): void {
    if (this.#closing) return
    const leaseError = this.#tellFailure(stepOf(attempted, error), error)
    if (attempted === 'renew-token') this.#standing.tokenFailed(leaseError)
    else this.#standing.leaseFailed(leaseError)
    if (this.#attachments.hasNewcomerSince(this.#work.ended) && !this.#standing.inForce)
      this.#standing.failures.tryNow()
  }

  #tellFailure(step: LeaseStep, error: unknown, place?: string): VaultLeaseError {
    const leaseError = asLeaseError(step, error)
    const facts = { source: this.#source.description, step, error: leaseError }
    this.#tell('failed', place === undefined ? facts : { ...facts, place })
    return leaseError
  }

  async #close(drainMs: number, closeBy: number): Promise<void> {
    this.#cancelTimer?.()
    this.#endWatch?.()
    await this.#work.stop(Math.min(finishWorkWithinMs, drainMs), this.closedError())
    this.#attachments.leave()
    await this.#work.done
    await this.#old.close(this.#standing.end(), drainMs, closeBy)
    await this.#giveBackToken()
    this.#closed = true
    openLeases().delete(this.#open)
    this.#noteState()
  }

  async #giveBackToken(): Promise<void> {
    try {
      await this.#source.close()
    } catch (error) {
      this.#tellFailure('close', error)
    }
  }

  #noteState(): void {
    const { inForce, lastGeneration, failures } = this.#standing
    const to = stateOf({
      closed: this.#closed,
      closing: this.#closing !== undefined,
      usable: inForce !== undefined,
      everUsable: lastGeneration > 0,
      rotating: this.#work.doing === 'rotate',
      failures: failures.lease.count + failures.token.count,
    })
    if (to === this.#state) return
    const from = this.#state
    this.#state = to
    this.#tell('state', { source: this.#source.description, from, to })
  }
}

import { type CredentialsUnavailableError, LeaseClosedError, type VaultLeaseError } from '../errors.ts'
import type { Clock } from '../resilience/clock.ts'
import { settled, unlessAborted } from '../resilience/settle.ts'
import { StormLimit } from '../resilience/storm-limit.ts'
import { SuspendWatch } from '../resilience/suspend-watch.ts'
import type { CredentialSource } from '../source/source.ts'
import type { AttachedLease, Attachment } from './attachment.ts'
import type { Credential } from './credential.ts'
import { announce, type LeaseEventEmitter, type LeaseStep, type Tell } from './events.ts'
import { asLeaseError, stepOf } from './failures.ts'
import type { Generation } from './generation.ts'
import { judge } from './judgement.ts'
import { OldGenerations } from './old-generations.ts'
import { type OpenLease, openLeases } from './open-leases.ts'
import { Rotation } from './rotation.ts'
import { expiry, nextAction, type RotationReason } from './schedule.ts'
import { Standing } from './standing.ts'
import { type LeaseState, type LeaseStatus, type PlaceState, stateOf } from './status.ts'
import { unavailable } from './unavailable.ts'
import { drainTimeOf } from './wait.ts'
import { Waiters } from './waiters.ts'
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
const answerOfSourceWithinMs = 2_000

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
  readonly #attachments = new Map<Attachment, { readonly joinedBefore: number }>()
  readonly #old: OldGenerations
  readonly #rotation: Rotation
  readonly #forcedRotations = new StormLimit()
  readonly #work: Work
  /** Those who wait for the end of the next attempt. */
  readonly #attempts = new Waiters()
  readonly #suspendWatch: SuspendWatch

  readonly #open: OpenLease = {
    status: () => ({
      ...this.status(),
      places: Array.from(this.#attachments.keys(), (each) => each.status()),
    }),
  }

  #started = false
  #lookAwaited = false
  #cancelTimer: (() => void) | undefined
  #endWatch: (() => void) | undefined
  #wakingUp: Promise<void> | undefined
  #closing: Promise<void> | undefined
  #closed = false
  #state: LeaseState = 'starting'

  constructor({ source, clock, random, drainTimeoutMs }: LeaseEngineParts) {
    this.clock = clock
    this.random = random
    this.#source = source
    this.#standing = new Standing(clock, random)
    this.#suspendWatch = new SuspendWatch(clock)
    const attachments = { [Symbol.iterator]: () => this.#attachments.keys() }
    const tell = this.#tell
    const onFailed = (step: LeaseStep, error: unknown, place?: string): void =>
      void this.#tellFailure(step, error, place)
    this.#old = new OldGenerations({ source, attachments, clock, drainTimeoutMs, tell, onFailed })
    const parts = { source, clock, standing: this.#standing, old: this.#old, attachments, tell, onFailed }
    this.#rotation = new Rotation(parts)
    this.#work = new Work({
      source,
      clock,
      standing: this.#standing,
      rotation: this.#rotation,
      onFailed: (attempted, error) => this.#failed(attempted, error),
      onGone: (generation) => this.#discard(generation, 'lease-gone'),
    })
  }

  get inForce(): Generation | undefined {
    return this.#standing.inForce
  }

  /** The credential in force, for those who have no database of their own to ask. */
  get current(): Credential | undefined {
    this.lookAround()
    return this.#wakingUp ? undefined : this.#standing.usable?.credential
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
        this.#wakingUp ??
        this.#attemptUnderWay(this.#standing.failures.lease.count === 0) ??
        this.#attemptForPassword
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
    this.#attachments.set(attachment, { joinedBefore: this.#work.ended + (this.#work.doing ? 1 : 0) })
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
    const seen = this.#work.ended > (this.#attachments.get(attachment)?.joinedBefore ?? 0)
    return this.#attemptUnderWay(failures.lease.count === 0 || !seen) ?? this.#attemptForPassword
  }

  async judge(attachment: Attachment, credential: Credential, wasProven: boolean): Promise<void> {
    const mayHaveAnotherPassword = this.#standing.inForce?.mayHaveAnotherPassword ?? false
    const tellsOfTheUser = wasProven || mayHaveAnotherPassword
    const judgement = await judge(attachment, this.#attachments.keys(), credential, tellsOfTheUser)
    const generation = this.#standing.inForce
    if (this.#closing || generation?.credential !== credential) return
    // The others may only not have heard of a new password yet.
    if (judgement === 'alone' && !(wasProven && mayHaveAnotherPassword)) return
    if (mayHaveAnotherPassword) this.#standing.expectPassword()
    if (judgement === 'dead') this.#discard(generation, 'refused')
    else this.#force('refused')
  }

  askForPassword(credential: Credential): void {
    const generation = this.#standing.inForce
    if (this.#closing || generation?.credential !== credential || !generation.mayHaveAnotherPassword) return
    this.#standing.force('refused', this.clock.now())
    this.#tick()
  }

  lookAround(): void {
    if (this.#suspendWatch.noticed()) this.#wokeUp()
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
      this.#attempts.wake()
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

  /** The next attempt, whatever has become of the last, while it may bring the password that the user has now. */
  get #attemptForPassword(): Promise<void> | undefined {
    return this.#standing.expectsPassword ? this.#attempts.change(undefined) : undefined
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
    for (const attachment of this.#attachments.keys()) attachment.lookAnew()
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
      this.#expire()
      this.#tick()
    } else {
      void this.#begin(action)
    }
    this.#noteState()
  }

  #begin(action: Attempt): Promise<void> {
    const done = this.#work.begin(action, () => {
      this.#tick()
      this.#attempts.wake()
    })
    this.#tick()
    return done
  }

  #failed(attempted: Attempt['do'], error: unknown): void {
    if (this.#closing) return
    const leaseError = this.#tellFailure(stepOf(attempted, error), error)
    if (attempted === 'renew-token') this.#standing.tokenFailed(leaseError)
    else this.#standing.leaseFailed(leaseError)
    if (this.#hasNewcomer && !this.#standing.inForce) this.#standing.failures.tryNow()
  }

  /** Whether somebody has joined since the attempt under way began, perhaps too late to be served by it. */
  get #hasNewcomer(): boolean {
    return [...this.#attachments.values()].some(({ joinedBefore }) => joinedBefore > this.#work.ended)
  }

  #tellFailure(step: LeaseStep, error: unknown, place?: string): VaultLeaseError {
    const leaseError = asLeaseError(step, error)
    const facts = { source: this.#source.description, step, error: leaseError }
    this.#tell('failed', place === undefined ? facts : { ...facts, place })
    return leaseError
  }

  #expire(): void {
    const { dead, toRetire } = this.#takeOutOfForce()
    if (toRetire) this.#old.drop(toRetire)
    // Leases, or tokens, that live for a moment only are not fetched without end.
    if (dead) this.#standing.force('start', this.#forcedRotations.next(this.clock.now()))
  }

  /** The credential is dead, whatever its lease says: it is replaced, with growing gaps when that happens again and again. */
  #discard(generation: Generation, reason: RotationReason): void {
    if (this.#closing || generation !== this.#standing.inForce) return
    const { toRetire } = this.#takeOutOfForce()
    if (toRetire) this.#old.abandon(toRetire)
    this.#force(reason)
  }

  #force(reason: RotationReason): void {
    this.#standing.force(reason, this.#forcedRotations.next(this.clock.now()))
    this.#tick()
  }

  #takeOutOfForce(): ReturnType<Standing['takeOutOfForce']> {
    const taken = this.#standing.takeOutOfForce()
    if (taken.dead) {
      const { number: generation, username } = taken.dead
      this.#tell('expired', { source: this.#source.description, generation, username })
      this.#wakeAttachments()
    }
    return taken
  }

  #wakeAttachments(): void {
    for (const attachment of this.#attachments.keys()) attachment.wake()
  }

  /** Time has gone by that no clock of ours has counted: nobody uses the credential before it is known to live. */
  #wokeUp(): void {
    if (this.#closing || !this.#standing.inForce) return
    this.#standing.doubt()
    this.#old.hurry()
    this.#wakingUp ??= this.#sourceAsked().finally(() => {
      this.#wakingUp = undefined
    })
    for (const attachment of this.#attachments.keys()) attachment.doubt(this.#wakingUp)
  }

  async #sourceAsked(): Promise<void> {
    // Whoever has noticed it is about to tick, or only wanted to know the credential.
    await Promise.resolve()
    if (!this.#work.doing) this.#tick()
    if (this.#work.done) await settled(this.clock, this.#work.done, answerOfSourceWithinMs)
  }

  async #close(drainMs: number, closeBy: number): Promise<void> {
    this.#cancelTimer?.()
    this.#endWatch?.()
    await this.#work.stop(Math.min(finishWorkWithinMs, drainMs), this.closedError())
    for (const attachment of this.#attachments.keys()) attachment.leave()
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

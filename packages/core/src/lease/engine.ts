import { type CredentialsUnavailableError, LeaseClosedError, VaultLeaseError } from '../errors.ts'
import type { LeaseStep, Tell } from '../observe/events.ts'
import { type Clock, deadlineAfter } from '../resilience/clock.ts'
import { settled, unlessAborted } from '../resilience/settle.ts'
import type { CredentialSource } from '../source/source.ts'
import { type Attempt, Attempts } from './attempts.ts'
import type { Consumer } from './consumer.ts'
import type { Credential } from './credential.ts'
import { Doubt } from './doubt.ts'
import type { Generation } from './generation.ts'
import { Retirements } from './retirements.ts'
import { expiry, nextAction, type RotationReason } from './schedule.ts'
import { Standing } from './standing.ts'
import { type LeaseState, type LeaseStatus, stateOf } from './status.ts'
import { StormLimit } from './storm-limit.ts'
import { SuspendWatch } from './suspend-watch.ts'
import { gaveUp, stepFailed, stepOf, unavailable } from './unavailable.ts'

/** What an engine is made of. */
export interface LeaseEngineParts {
  readonly source: CredentialSource
  readonly clock: Clock
  /** 0 to 1, as Math.random. */
  readonly random: () => number
  readonly drainTimeoutMs: number
  readonly tell: Tell
}

const finishWorkWithinMs = 2_000
const firstAttemptLimitMs = 15_000
const longestAttemptMs = 60_000
const shortestAttemptMs = 3_000

/**
 * Keeps one database credential in force: fetches it, renews its lease, replaces it before it dies, and gives it back. The
 * only place with a timer; every decision about time is made by `schedule.ts`.
 */
export class LeaseEngine {
  readonly #source: CredentialSource
  readonly #clock: Clock
  readonly #tell: Tell
  readonly #standing: Standing
  readonly #consumers = new Set<Consumer>()
  readonly #retirements: Retirements
  readonly #attempts: Attempts
  readonly #forcedRotations = new StormLimit()
  readonly #stopWork = new AbortController()
  readonly #doubt: Doubt
  readonly #suspendWatch: SuspendWatch

  #started = false
  #lookAwaited = false
  #cancelTimer: (() => void) | undefined
  #endWatch: (() => void) | undefined
  #work: { readonly action: Attempt; readonly done: Promise<void> } | undefined
  #closing: Promise<void> | undefined
  #closed = false
  #state: LeaseState = 'starting'

  constructor({ source, clock, random, drainTimeoutMs, tell }: LeaseEngineParts) {
    this.#source = source
    this.#clock = clock
    this.#tell = tell
    this.#standing = new Standing(clock, random)
    this.#suspendWatch = new SuspendWatch(clock)
    const consumers = this.#consumers
    this.#doubt = new Doubt({ consumers, clock, signal: this.#stopWork.signal })
    const onFailed = (step: LeaseStep, error: unknown): void => void this.#tellFailure(step, error)
    this.#retirements = new Retirements({ source, consumers, clock, drainTimeoutMs, tell, onFailed })
    this.#attempts = new Attempts({
      source,
      clock,
      standing: this.#standing,
      consumers,
      tell,
      onFailed,
      onReplaced: (previous) => this.#retirements.drain(previous),
      onGone: (generation) => this.#leaseGone(generation),
    })
  }

  /** For messages and events. */
  get description(): string {
    return this.#source.description
  }

  /** See `LeaseManager`. */
  get current(): Credential | undefined {
    if (this.#suspendWatch.noticed()) this.#wokeUp()
    return this.#doubt.pending || !this.#standing.usable ? undefined : this.#standing.inForce?.credential
  }

  /** See `LeaseManager`. */
  get generation(): number {
    return this.#standing.usable ? (this.#standing.inForce?.credential.generation ?? 0) : 0
  }

  /** See `LeaseManager`. */
  async credential(signal: AbortSignal | undefined): Promise<Credential> {
    for (;;) {
      const credential = this.current
      if (credential) return credential
      if (this.#closing) throw this.closedError()
      this.#start()
      if (!this.#work && !this.#doubt.pending) this.#tick()
      const { failures } = this.#standing
      const pending = this.#doubt.pending ?? (failures.lease.count === 0 ? this.#work?.done : undefined)
      if (!pending) throw this.unavailable()
      await unlessAborted(pending, signal)
    }
  }

  status(): LeaseStatus {
    const { inForce, deadline, failures } = this.#standing
    const now = this.#clock.now()
    const next =
      this.#started && !this.#work && !this.#closing ? nextAction(this.#standing.facts()) : undefined
    return {
      state: this.#state,
      source: this.#source.description,
      generation: inForce?.credential.generation ?? 0,
      username: inForce?.credential.username,
      expiresInMs: deadline && Math.max(0, deadline - now),
      next: next && { do: next.do, inMs: Math.max(0, next.at - now) },
      failures: failures.lease.count,
      lastError: failures.last?.message,
      retiring: this.#retirements.generations,
      circuit: this.#source.circuit,
    }
  }

  add(consumer: Consumer): void {
    this.#consumers.add(consumer)
  }

  remove(consumer: Consumer): void {
    this.#consumers.delete(consumer)
  }

  /** See `LeaseManager`. */
  async rotate(): Promise<void> {
    if (this.#closing) throw this.closedError()
    this.#start()
    const before = this.#standing.lastGeneration
    while (this.#work) await this.#work.done
    if (this.#standing.lastGeneration === before && !this.#closing)
      await this.#begin({ do: 'rotate', at: this.#clock.now(), reason: 'manual' })
    if (this.#standing.lastGeneration === before) throw this.#standing.failures.last ?? this.unavailable()
  }

  /** See `LeaseManager`. */
  async refused(generation: number): Promise<boolean> {
    this.#discardRefused(generation)
    try {
      const { generation: newer } = await this.credential(undefined)
      return newer > generation
    } catch {
      return false
    }
  }

  /** See `LeaseManager`. */
  suspected(generation: number): void {
    const inForce = this.#standing.inForce?.credential
    if (this.#closing || inForce?.generation !== generation) return
    this.#doubt.raise(inForce, () => this.#discardRefused(generation))
  }

  /** Has consumers close what they have, because they leave while the others go on. */
  async part(consumers: Iterable<Consumer>, timeoutMs: number): Promise<void> {
    await this.#retirements.part(consumers, this.#standing.inForce, timeoutMs)
  }

  /** See `LeaseManager`. Closing twice is closing once. */
  close(timeoutMs: number): Promise<void> {
    if (!this.#closing) {
      this.#closing = this.#close(timeoutMs)
      this.#noteState()
    }
    return this.#closing
  }

  closedError(): LeaseClosedError {
    return new LeaseClosedError(`The lease of ${this.#source.description} was closed.`)
  }

  /** That no credential can be had, why, and when it is tried next. */
  unavailable(why?: string): CredentialsUnavailableError {
    const next = this.#work ? undefined : nextAction(this.#standing.facts())
    const nextAttemptInMs = next && Math.max(0, Math.round(next.at - this.#clock.now()))
    return unavailable({
      source: this.description,
      why,
      cause: this.#standing.failures.last,
      nextAttemptInMs,
    })
  }

  /** Whether an attempt waits for Vault or for the database. */
  get attempting(): boolean {
    return this.#work !== undefined
  }

  #start(): void {
    if (this.#started) return
    this.#started = true
    this.#endWatch = this.#source.watch?.(() => void this.#lookSoon())
  }

  /** The source may have something new, also in comparison with what an attempt under way has found. */
  async #lookSoon(): Promise<void> {
    if (this.#lookAwaited) return
    this.#lookAwaited = true
    await this.#work?.done
    this.#lookAwaited = false
    this.#standing.lookNow()
    this.#tick()
  }

  /** Does what is due, or waits for what comes next. */
  #tick(): void {
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
    if (this.#closing) return
    if (this.#suspendWatch.noticed()) this.#wokeUp()
    const facts = this.#standing.facts()
    const action = this.#work ? expiry(facts) : nextAction(facts)
    if (!action) return
    if (action.at > facts.now) {
      // A lease without an end has nothing to wait for.
      if (action.at < Number.POSITIVE_INFINITY)
        this.#cancelTimer = this.#clock.schedule(action.at - facts.now, () => this.#tick())
    } else if (action.do === 'expire') {
      this.#expire()
      this.#tick()
    } else {
      void this.#begin(action)
    }
    this.#noteState()
  }

  #begin(action: Attempt): Promise<void> {
    const done = this.#perform(action).finally(() => {
      this.#work = undefined
      this.#tick()
    })
    this.#work = { action, done }
    this.#tick()
    return done
  }

  /** Never rejects: a failure is counted, told, and scheduled again. */
  async #perform(action: Attempt): Promise<void> {
    const limitMs = this.#attemptLimitMs()
    const tooLong = (): Error => gaveUp(action.do, limitMs, this.#attempts.waitsFor)
    const limit = deadlineAfter(this.#clock, limitMs, tooLong, this.#stopWork.signal)
    // Without a credential to lose there is still somebody to be served.
    const terms = { signal: limit.signal, deadline: this.#standing.deadline ?? this.#clock.now() }
    try {
      await this.#attempts.make(action, terms)
    } catch (error) {
      this.#failed(action.do, error)
    } finally {
      limit[Symbol.dispose]()
    }
  }

  /** A hung server must not use up the time that other attempts need. */
  #attemptLimitMs(): number {
    const { deadline } = this.#standing
    if (deadline === undefined) return firstAttemptLimitMs
    const remaining = deadline - this.#clock.now()
    return Math.min(longestAttemptMs, Math.max(shortestAttemptMs, remaining / 2))
  }

  #leaseGone({ credential }: Generation): void {
    // Sessions of the user may go on a little; only after a sleep the user is known to be long gone.
    if (this.#standing.unsure) this.#discard(credential.generation, 'lease-gone')
    else this.#standing.force('lease-gone', this.#clock.now())
  }

  #failed(attempted: Attempt['do'], error: unknown): void {
    if (this.#closing) return
    const leaseError = this.#tellFailure(stepOf(attempted, error), error)
    if (attempted === 'renew-token') this.#standing.tokenFailed(leaseError)
    else this.#standing.leaseFailed(leaseError)
  }

  #tellFailure(step: LeaseStep, error: unknown): VaultLeaseError {
    const leaseError = error instanceof VaultLeaseError ? error : stepFailed(step, error)
    this.#tell('failed', { source: this.description, step, error: leaseError })
    return leaseError
  }

  #expire(): void {
    const dead = this.#takeOutOfForce()
    if (!dead) return
    this.#retirements.drop(dead)
    // Leases, or tokens, that live for a moment only are not fetched without end.
    this.#standing.force('start', this.#forcedRotations.next(this.#clock.now()))
  }

  #discardRefused(generation: number): void {
    this.#discard(generation, 'refused')
  }

  /** The credential is dead, whatever its lease says: it is replaced, with growing gaps when that happens again and again. */
  #discard(generation: number, reason: RotationReason): void {
    if (this.#closing || generation !== this.#standing.inForce?.credential.generation) return
    const dead = this.#takeOutOfForce()
    if (dead) this.#retirements.drain(dead)
    this.#standing.force(reason, this.#forcedRotations.next(this.#clock.now()))
    this.#tick()
  }

  #takeOutOfForce(): Generation | undefined {
    const dead = this.#standing.takeOutOfForce()
    if (!dead) return undefined
    const { generation, username } = dead.credential
    this.#tell('expired', { source: this.description, generation, username })
    return dead
  }

  /** Time has gone by that no clock of ours has counted: nobody uses the credential before it is known to live. */
  #wokeUp(): void {
    const inForce = this.#standing.inForce?.credential
    if (this.#closing || !inForce) return
    this.#standing.doubt()
    this.#doubt.insist(
      inForce,
      () => this.#discardRefused(inForce.generation),
      () => this.#work?.done,
    )
    this.#tick()
  }

  async #close(timeoutMs: number): Promise<void> {
    this.#cancelTimer?.()
    this.#endWatch?.()
    if (this.#work) await settled(this.#clock, this.#work.done, finishWorkWithinMs)
    this.#stopWork.abort(this.closedError())
    await this.#work?.done
    await this.#doubt.pending
    await this.#retirements.close(this.#standing.takeOutOfForce(), timeoutMs)
    await this.#giveBackToken()
    this.#closed = true
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
      rotating: this.#work?.action.do === 'rotate',
      failures: failures.lease.count,
    })
    if (to === this.#state) return
    const from = this.#state
    this.#state = to
    this.#tell('state', { source: this.description, from, to })
  }
}

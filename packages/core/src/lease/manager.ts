import { EventEmitter } from 'node:events'
import {
  CredentialNotProvenError,
  CredentialsUnavailableError,
  LeaseClosedError,
  VaultLeaseError,
} from '../errors.ts'
import { announce, type LeaseEvents, type LeaseStep } from '../observe/events.ts'
import { awaited, type Clock, deadlineAfter } from '../resilience/clock.ts'
import { settled, unlessAborted } from '../resilience/settle.ts'
import type { CredentialSource } from '../source/source.ts'
import { isLeaseFinal, isLeaseGone } from '../vault/errors.ts'
import type { Consumer } from './consumer.ts'
import type { Credential } from './credential.ts'
import { Doubt } from './doubt.ts'
import { FailureLog } from './failure-log.ts'
import { finalLease, type Lease } from './lease.ts'
import { Retirements } from './retirements.ts'
import { fetchAndProve, type Generation } from './rotation.ts'
import { type Action, deadlineOf, expiry, type Facts, nextAction, type RotationReason } from './schedule.ts'
import { type LeaseState, type LeaseStatus, stateOf } from './status.ts'
import { StormLimit } from './storm-limit.ts'

/** How long a caller is ready to wait for a credential. */
export interface WaitOptions {
  readonly signal?: AbortSignal | undefined
  /** Milliseconds. Without it, the wait ends with the attempt under way. */
  readonly timeoutMs?: number | undefined
}

/** What a manager is made of. Applications use `createLease`, which fills this in. */
export interface LeaseManagerParts {
  readonly source: CredentialSource
  readonly clock: Clock
  /** 0 to 1, as Math.random. */
  readonly random: () => number
  readonly drainTimeoutMs: number
}

const closeTimeoutMs = 10_000
const finishWorkWithinMs = 2_000

/**
 * Keeps one database credential in force: fetches it, renews its lease, replaces it before it dies, and gives it back.
 * The only place with a timer; every decision about time is made by `schedule.ts`.
 */
export class LeaseManager extends EventEmitter<LeaseEvents> implements AsyncDisposable {
  readonly #source: CredentialSource
  readonly #clock: Clock
  readonly #random: () => number
  readonly #consumers = new Set<Consumer>()
  readonly #retirements: Retirements
  readonly #failures = new FailureLog()
  readonly #forcedRotations = new StormLimit()
  readonly #stopWork = new AbortController()
  readonly #doubt: Doubt

  #inForce: Generation | undefined
  #lastGeneration = 0
  #jitter = 0
  #forced: Facts['forced']

  #started = false
  #cancelTimer: (() => void) | undefined
  #work: { readonly action: Action; readonly done: Promise<void> } | undefined
  #closing: Promise<void> | undefined
  #closed = false
  #state: LeaseState = 'starting'

  constructor(parts: LeaseManagerParts) {
    super()
    this.#source = parts.source
    this.#clock = parts.clock
    this.#random = parts.random
    this.#doubt = new Doubt({ consumers: this.#consumers, clock: parts.clock, signal: this.#stopWork.signal })
    this.#retirements = new Retirements({
      source: parts.source,
      consumers: this.#consumers,
      clock: parts.clock,
      drainTimeoutMs: parts.drainTimeoutMs,
      emitter: this,
      onFailed: (step, error) => void this.#tellFailure(step, error),
    })
  }

  /** The credential to connect with at this moment; `undefined` when there is none that may be used. */
  get current(): Credential | undefined {
    const generation = this.#inForce
    if (!generation || this.#doubt.pending || this.#clock.now() >= deadlineFor(generation)) return undefined
    return generation.credential
  }

  /** The generation in force, whose connections may be used; 0 when there is none. */
  get generation(): number {
    const generation = this.#inForce
    if (!generation || this.#clock.now() >= deadlineFor(generation)) return 0
    return generation.credential.generation
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
    if (this.current) return this.current
    const timeout = (): Error =>
      this.#unavailable(
        `No credential came within ${timeoutMs} ms.${this.#work ? ' An attempt is still waiting, for Vault or for the database to answer.' : ''}`,
      )
    const limit = timeoutMs === undefined ? undefined : deadlineAfter(this.#clock, timeoutMs, timeout, signal)
    try {
      return await awaited(this.#clock, this.#awaitCredential(limit?.signal ?? signal))
    } finally {
      limit?.[Symbol.dispose]()
    }
  }

  async #awaitCredential(signal: AbortSignal | undefined): Promise<Credential> {
    for (;;) {
      const credential = this.current
      if (credential) return credential
      if (this.#closing) throw new LeaseClosedError(`The lease of ${this.#source.description} was closed.`)
      this.#started = true
      if (!this.#work && !this.#doubt.pending) this.#tick()
      const pending = this.#doubt.pending ?? (this.#failures.lease.count === 0 ? this.#work?.done : undefined)
      if (!pending) throw this.#unavailable()
      await unlessAborted(pending, signal)
    }
  }

  /** A snapshot of where the lease stands. It holds no secret. */
  status(): LeaseStatus {
    const now = this.#clock.now()
    const next = this.#started && !this.#work && !this.#closing ? nextAction(this.#facts()) : undefined
    return {
      state: this.#state,
      source: this.#source.description,
      generation: this.#inForce?.credential.generation ?? 0,
      username: this.#inForce?.credential.username,
      expiresInMs: this.#inForce && Math.max(0, deadlineFor(this.#inForce) - now),
      next: next && { do: next.do, inMs: Math.max(0, next.at - now) },
      failures: this.#failures.lease.count,
      lastError: this.#failures.last?.message,
      retiring: this.#retirements.generations,
    }
  }

  /** Takes part in rotations from now on. Returns the way to leave again. For adapters. */
  attach(consumer: Consumer): () => void {
    this.#consumers.add(consumer)
    return () => void this.#consumers.delete(consumer)
  }

  /**
   * Replaces the credential now and resolves when the new one is in force. A rotation already under way counts.
   *
   * @throws what made the rotation fail; the previous credential stays in force then.
   */
  async rotate(): Promise<void> {
    await awaited(this.#clock, this.#rotateByHand())
  }

  async #rotateByHand(): Promise<void> {
    if (this.#closing) throw new LeaseClosedError(`The lease of ${this.#source.description} was closed.`)
    this.#started = true
    const before = this.#lastGeneration
    while (this.#work) await this.#work.done
    if (this.#lastGeneration === before && !this.#closing)
      await this.#begin({ do: 'rotate', at: this.#clock.now(), reason: 'manual' })
    if (this.#lastGeneration === before) throw this.#failures.last ?? this.#unavailable()
  }

  /**
   * The database refused this generation when an adapter connected with it, so it is dead whatever its lease says. Rotates
   * once for all callers, with growing gaps when it happens again and again, and tells whether a newer credential is in force, so that connecting
   * again makes sense. For adapters.
   */
  async refused(generation: number): Promise<boolean> {
    this.#discardRefused(generation)
    try {
      const { generation: newer } = await this.credential()
      return newer > generation
    } catch {
      return false
    }
  }

  /**
   * A statement was denied in a way that also happens when the database user is gone. Proves the credential once, and
   * rotates if the database refuses it. Meanwhile new connections and acquires wait. For adapters.
   */
  suspected(generation: number): void {
    const inForce = this.#inForce?.credential
    if (this.#closing || inForce?.generation !== generation) return
    this.#doubt.raise(inForce, () => this.#discardRefused(generation))
  }

  /**
   * Drains every connection, revokes the leases, and gives back the token if the library logged in for it. Connections
   * still in use after `timeoutMs` (default 10 s) are closed under their holder. Closing twice is closing once.
   */
  close({ timeoutMs = closeTimeoutMs }: { readonly timeoutMs?: number } = {}): Promise<void> {
    if (!this.#closing) {
      this.#closing = awaited(this.#clock, this.#close(timeoutMs))
      this.#noteState()
    }
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #facts(): Facts {
    const issued = this.#inForce?.issued
    return {
      now: this.#clock.now(),
      lease: issued?.lease,
      token: issued?.tokenFacts(),
      jitter: this.#jitter,
      leaseFailures: this.#failures.lease,
      tokenFailures: this.#failures.token,
      forced: this.#forced,
    }
  }

  /** Does what is due, or waits for what comes next. */
  #tick(): void {
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
    if (this.#closing) return
    const facts = this.#facts()
    const action = this.#work ? expiry(facts) : nextAction(facts)
    if (!action) return
    if (action.at > facts.now) {
      this.#cancelTimer = this.#clock.schedule(action.at - facts.now, () => this.#tick())
    } else if (action.do === 'expire') {
      this.#expire()
      this.#tick()
    } else {
      void this.#begin(action)
    }
    this.#noteState()
  }

  #begin(action: Exclude<Action, { do: 'expire' }>): Promise<void> {
    const done = this.#perform(action).finally(() => {
      this.#work = undefined
      this.#tick()
    })
    this.#work = { action, done }
    this.#tick()
    return done
  }

  /** Never rejects: a failure is counted, told, and scheduled again. */
  async #perform(action: Exclude<Action, { do: 'expire' }>): Promise<void> {
    const limitMs = this.#attemptLimitMs()
    const tooLong = (): Error =>
      this.#unavailable(`The attempt to ${action.do} took longer than ${limitMs} ms.`)
    const limit = deadlineAfter(this.#clock, limitMs, tooLong, this.#stopWork.signal)
    try {
      if (action.do === 'rotate') await this.#rotate(action.reason, limit.signal)
      else if (action.do === 'renew') await this.#renew(limit.signal)
      else await this.#renewToken(limit.signal)
    } catch (error) {
      this.#failed(action.do, error)
    } finally {
      limit[Symbol.dispose]()
    }
  }

  /** A hung server must not use up the time that other attempts need. */
  #attemptLimitMs(): number {
    if (!this.#inForce) return 15_000
    const remaining = deadlineFor(this.#inForce) - this.#clock.now()
    return Math.min(60_000, Math.max(1_000, remaining / 2))
  }

  async #rotate(reason: RotationReason, signal: AbortSignal): Promise<void> {
    const began = this.#clock.now()
    const next = await fetchAndProve({
      source: this.#source,
      consumers: this.#consumers,
      clock: this.#clock,
      generation: this.#lastGeneration + 1,
      outliveMs: this.#inForce?.issued.lease.durationMs ?? 0,
      signal,
      onOrphan: (error) => this.#tellFailure('revoke', error),
    })
    const previous = this.#publish(next)
    if (previous) this.#retirements.drain(previous)
    const { generation, username } = next.credential
    const tookMs = this.#clock.now() - began
    announce(this, 'rotated', { source: this.#source.description, generation, username, reason, tookMs })
  }

  #publish(next: Generation): Generation | undefined {
    const previous = this.#inForce
    this.#inForce = next
    this.#lastGeneration = next.credential.generation
    this.#forced = undefined
    this.#succeeded()
    return previous
  }

  async #renew(signal: AbortSignal): Promise<void> {
    const generation = this.#inForce
    if (!generation) return
    const { lease } = generation.issued
    try {
      this.#replaceLease(generation, await this.#source.renew(lease, signal))
    } catch (error) {
      if (isLeaseGone(error)) this.#forced = { reason: 'lease-gone', notBefore: this.#clock.now() }
      else if (isLeaseFinal(error)) this.#replaceLease(generation, finalLease(lease))
      else throw error
    }
  }

  #replaceLease(generation: Generation, lease: Lease): void {
    // It may have gone out of force while the renewal was under way, and is on its way out then.
    if (this.#inForce !== generation) return
    this.#inForce = { ...generation, issued: { ...generation.issued, lease } }
    this.#succeeded()
    const expiresInMs = deadlineFor(this.#inForce) - this.#clock.now()
    const { generation: number } = generation.credential
    announce(this, 'renewed', { source: this.#source.description, generation: number, expiresInMs })
  }

  async #renewToken(signal: AbortSignal): Promise<void> {
    await this.#source.renewToken(signal)
    this.#failures.tokenSucceeded()
    this.#drawJitter()
  }

  #succeeded(): void {
    this.#failures.leaseSucceeded()
    this.#drawJitter()
  }

  #drawJitter(): void {
    this.#jitter = this.#random() * 2 - 1
  }

  #failed(attempted: 'rotate' | 'renew' | 'renew-token', error: unknown): void {
    if (this.#closing) return
    const rotationStep = error instanceof CredentialNotProvenError ? 'prove' : 'fetch'
    const leaseError = this.#tellFailure(attempted === 'rotate' ? rotationStep : attempted, error)
    if (attempted === 'renew-token') this.#failures.tokenFailed(leaseError, this.#clock.now())
    else this.#failures.leaseFailed(leaseError, this.#clock.now())
  }

  #tellFailure(step: LeaseStep, error: unknown): VaultLeaseError {
    const leaseError = error instanceof VaultLeaseError ? error : this.#unavailable(undefined, error)
    announce(this, 'failed', { source: this.#source.description, step, error: leaseError })
    return leaseError
  }

  #expire(): void {
    const dead = this.#takeOutOfForce()
    if (dead) this.#retirements.drop(dead)
  }

  #discardRefused(generation: number): void {
    if (this.#closing || generation !== this.#inForce?.credential.generation) return
    const refused = this.#takeOutOfForce()
    if (refused) this.#retirements.drain(refused)
    this.#forced = { reason: 'refused', notBefore: this.#forcedRotations.next(this.#clock.now()) }
    this.#tick()
  }

  #takeOutOfForce(): Generation | undefined {
    const dead = this.#inForce
    if (!dead) return undefined
    this.#inForce = undefined
    const { generation, username } = dead.credential
    announce(this, 'expired', { source: this.#source.description, generation, username })
    return dead
  }

  async #close(timeoutMs: number): Promise<void> {
    this.#cancelTimer?.()
    if (this.#work) await settled(this.#clock, this.#work.done, finishWorkWithinMs)
    this.#stopWork.abort(new LeaseClosedError(`The lease of ${this.#source.description} was closed.`))
    await this.#work?.done
    await this.#doubt.pending
    const last = this.#inForce
    this.#inForce = undefined
    await this.#retirements.close(last, timeoutMs)
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
    const to = stateOf({
      closed: this.#closed,
      closing: this.#closing !== undefined,
      usable: this.#inForce !== undefined,
      everUsable: this.#lastGeneration > 0,
      rotating: this.#work?.action.do === 'rotate',
      failures: this.#failures.lease.count,
    })
    if (to === this.#state) return
    const from = this.#state
    this.#state = to
    announce(this, 'state', { source: this.#source.description, from, to })
  }

  #unavailable(why?: string, cause?: unknown): CredentialsUnavailableError {
    const reason = cause ?? this.#failures.last
    const because = reason instanceof Error ? ` ${reason.message}` : ''
    const next = this.#work ? undefined : nextAction(this.#facts())
    const nextAttemptInMs = next && Math.max(0, Math.round(next.at - this.#clock.now()))
    const retry = nextAttemptInMs === undefined ? '' : ` The next attempt is due in ${nextAttemptInMs} ms.`
    return new CredentialsUnavailableError(
      `${why ?? `No usable database credential from ${this.#source.description}.`}${because}${retry}`,
      { cause: reason, nextAttemptInMs },
    )
  }
}

function deadlineFor({ issued }: Generation): number {
  return deadlineOf(issued.lease, issued.tokenFacts())
}

import { EventEmitter } from 'node:events'
import { CredentialsUnavailableError, LeaseClosedError, VaultLeaseError } from '../errors.ts'
import { announce, type LeaseEvents, type LeaseStep } from '../observe/events.ts'
import { type Clock, deadlineAfter } from '../resilience/clock.ts'
import { settled, unlessAborted } from '../resilience/settle.ts'
import type { CredentialSource } from '../source/source.ts'
import { isLeaseFinal, isLeaseGone, VaultError } from '../vault/errors.ts'
import type { Consumer } from './consumer.ts'
import type { Credential } from './credential.ts'
import { finalLease } from './lease.ts'
import { retireAndRevoke } from './retirement.ts'
import { fetchAndProve, type Generation } from './rotation.ts'
import {
  type Action,
  deadlineOf,
  expiry,
  type Facts,
  type Failures,
  nextAction,
  noFailures,
  type RotationReason,
} from './schedule.ts'
import { type LeaseState, type LeaseStatus, stateOf } from './status.ts'

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
const firstForcedGapMs = 1_000
const longestForcedGapMs = 60_000
const probeGapMs = 10_000
const probeWithinMs = 2_000

/**
 * Keeps one database credential in force: fetches it, renews its lease, replaces it before it dies, and gives it back.
 * The only place with a timer; every decision about time is made by `schedule.ts`.
 */
export class LeaseManager extends EventEmitter<LeaseEvents> implements AsyncDisposable {
  readonly #source: CredentialSource
  readonly #clock: Clock
  readonly #random: () => number
  readonly #drainTimeoutMs: number
  readonly #consumers = new Set<Consumer>()
  readonly #retirements = new Map<number, Promise<void>>()
  readonly #stopWork = new AbortController()
  readonly #stopDrains = new AbortController()

  #inForce: Generation | undefined
  #lastGeneration = 0
  #jitter = 0
  #leaseFailures: Failures = noFailures
  #tokenFailures: Failures = noFailures
  #lastError: VaultLeaseError | undefined
  #forced: Facts['forced']
  #forcedGapMs = firstForcedGapMs
  #forcedNotBefore = Number.NEGATIVE_INFINITY
  #probeNotBefore = Number.NEGATIVE_INFINITY

  #started = false
  #cancelTimer: (() => void) | undefined
  #work: { readonly action: Action; readonly done: Promise<void> } | undefined
  #doubt: Promise<unknown> | undefined
  #closing: Promise<void> | undefined
  #closed = false
  #state: LeaseState = 'starting'

  constructor(parts: LeaseManagerParts) {
    super()
    this.#source = parts.source
    this.#clock = parts.clock
    this.#random = parts.random
    this.#drainTimeoutMs = parts.drainTimeoutMs
  }

  /** The credential to connect with at this moment; `undefined` when there is none that may be used. */
  get current(): Credential | undefined {
    const generation = this.#inForce
    if (!generation || this.#doubt || this.#clock.now() >= deadlineFor(generation)) return undefined
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
    const timeout = (): Error => this.#unavailable(`No credential came within ${timeoutMs} ms.`)
    const limit = timeoutMs === undefined ? undefined : deadlineAfter(this.#clock, timeoutMs, timeout, signal)
    try {
      return await this.#awaitCredential(limit?.signal ?? signal)
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
      if (!this.#work && !this.#doubt) this.#tick()
      const pending = this.#doubt ?? (this.#leaseFailures.count === 0 ? this.#work?.done : undefined)
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
      failures: this.#leaseFailures.count,
      lastError: this.#lastError?.message,
      retiring: [...this.#retirements.keys()],
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
    if (this.#closing) throw new LeaseClosedError(`The lease of ${this.#source.description} was closed.`)
    this.#started = true
    const error = await this.#rotateBeyond(this.#lastGeneration, 'manual')
    if (error) throw error
  }

  /**
   * The database refused this generation when an adapter connected with it. Rotates once for all callers, at most once in
   * a while, and tells whether a newer credential is in force, so that connecting again makes sense. For adapters.
   */
  async refused(generation: number): Promise<boolean> {
    if (this.#closing) return false
    if (generation === this.#inForce?.credential.generation && !this.#doubt) {
      if (this.#clock.now() < this.#forcedNotBefore) return false
      this.#doubted(this.#rotateBeyond(generation, 'refused'))
    }
    await this.#doubt
    return (this.current?.generation ?? 0) > generation
  }

  /**
   * A statement was denied in a way that also happens when the database user is gone. Proves the credential once, and
   * rotates if the database refuses it. Meanwhile new connections and acquires wait. For adapters.
   */
  suspected(generation: number): void {
    const now = this.#clock.now()
    if (this.#closing || this.#doubt || now < this.#probeNotBefore) return
    if (generation !== this.#inForce?.credential.generation) return
    this.#probeNotBefore = now + probeGapMs
    this.#doubted(this.#probe(this.#inForce))
  }

  /**
   * Drains every connection, revokes the leases, and gives back the token if the library logged in for it. Connections
   * still in use after `timeoutMs` (default 10 s) are closed under their holder. Closing twice is closing once.
   */
  close({ timeoutMs = closeTimeoutMs }: { readonly timeoutMs?: number } = {}): Promise<void> {
    this.#closing ??= this.#close(timeoutMs)
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
      leaseFailures: this.#leaseFailures,
      tokenFailures: this.#tokenFailures,
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
      this.#failed(action.do === 'rotate' ? 'fetch' : action.do, error)
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
    this.#publish(next)
    const { generation, username } = next.credential
    const tookMs = this.#clock.now() - began
    announce(this, 'rotated', { source: this.#source.description, generation, username, reason, tookMs })
  }

  #publish(next: Generation): void {
    const previous = this.#inForce
    this.#inForce = next
    this.#lastGeneration = next.credential.generation
    this.#forced = undefined
    this.#succeeded()
    if (previous) this.#retire(previous, this.#drainDeadline(previous))
  }

  async #renew(signal: AbortSignal): Promise<void> {
    const generation = this.#inForce
    if (!generation) return
    try {
      const lease = await this.#source.renew(generation.issued.lease, signal)
      this.#replaceLease(generation, lease)
    } catch (error) {
      if (isLeaseGone(error)) this.#forced = { reason: 'lease-gone', notBefore: this.#clock.now() }
      else if (isLeaseFinal(error)) this.#replaceLease(generation, finalLease(generation.issued.lease))
      else throw error
    }
  }

  #replaceLease(generation: Generation, lease: Generation['issued']['lease']): void {
    this.#inForce = { ...generation, issued: { ...generation.issued, lease } }
    this.#succeeded()
    const expiresInMs = deadlineFor(this.#inForce) - this.#clock.now()
    const { generation: number } = generation.credential
    announce(this, 'renewed', { source: this.#source.description, generation: number, expiresInMs })
  }

  async #renewToken(signal: AbortSignal): Promise<void> {
    await this.#source.renewToken(signal)
    this.#tokenFailures = noFailures
    this.#jitter = this.#random() * 2 - 1
  }

  #succeeded(): void {
    this.#leaseFailures = noFailures
    this.#lastError = undefined
    this.#jitter = this.#random() * 2 - 1
  }

  #failed(step: LeaseStep, error: unknown): void {
    if (this.#closing) return
    const leaseError = this.#tellFailure(step, error)
    const before = step === 'renew-token' ? this.#tokenFailures : this.#leaseFailures
    const retryAfterMs = leaseError instanceof VaultError ? leaseError.retryAfterMs : undefined
    const failures = { count: before.count + 1, lastAt: this.#clock.now(), retryAfterMs }
    if (step === 'renew-token') {
      this.#tokenFailures = failures
    } else {
      this.#leaseFailures = failures
      this.#lastError = leaseError
    }
  }

  #tellFailure(step: LeaseStep, error: unknown): VaultLeaseError {
    const leaseError = error instanceof VaultLeaseError ? error : this.#unavailable(undefined, error)
    announce(this, 'failed', { source: this.#source.description, step, error: leaseError })
    return leaseError
  }

  #expire(): void {
    const dead = this.#inForce
    if (!dead) return
    this.#inForce = undefined
    const { generation, username } = dead.credential
    announce(this, 'expired', { source: this.#source.description, generation, username })
    this.#retire(dead, this.#clock.now())
  }

  /** The database user has to be revoked before its lease ends by itself. */
  #drainDeadline(generation: Generation): number {
    const now = this.#clock.now()
    const remaining = Math.max(0, deadlineFor(generation) - now)
    return now + Math.min(this.#drainTimeoutMs, remaining - Math.min(1_000, remaining / 5))
  }

  #retire(retiring: Generation, deadline: number): void {
    const { generation, username } = retiring.credential
    const source = this.#source.description
    const began = this.#clock.now()
    const done = retireAndRevoke({
      retiring,
      deadline,
      source: this.#source,
      consumers: this.#consumers,
      clock: this.#clock,
      signal: this.#stopDrains.signal,
      onRetired: (retired) => {
        const tookMs = this.#clock.now() - began
        announce(this, 'retired', { source, generation, username, ...retired, tookMs })
      },
      onRevoked: () => announce(this, 'revoked', { source, generation, username }),
      onFailed: (step, error) => void this.#tellFailure(step, error),
    }).finally(() => void this.#retirements.delete(generation))
    this.#retirements.set(generation, done)
  }

  /** Rotates unless a newer generation than `generation` comes into force anyway. Never rejects; returns what went wrong. */
  async #rotateBeyond(generation: number, reason: RotationReason): Promise<VaultLeaseError | undefined> {
    while (this.#work) await this.#work.done
    if (this.#lastGeneration > generation || this.#closing) return undefined
    if (reason === 'refused') this.#noteForced()
    await this.#begin({ do: 'rotate', at: this.#clock.now(), reason })
    if (this.#lastGeneration > generation) return undefined
    return this.#lastError ?? this.#unavailable()
  }

  /** Forced rotations come with growing gaps when one follows another. */
  #noteForced(): void {
    const now = this.#clock.now()
    const calm = now > this.#forcedNotBefore + longestForcedGapMs
    this.#forcedGapMs = calm ? firstForcedGapMs : Math.min(longestForcedGapMs, this.#forcedGapMs * 2)
    this.#forcedNotBefore = now + this.#forcedGapMs
  }

  #doubted(resolution: Promise<unknown>): void {
    this.#doubt = resolution.finally(() => {
      this.#doubt = undefined
    })
  }

  async #probe(generation: Generation): Promise<void> {
    const tooLong = (): Error => new Error(`The database did not answer within ${probeWithinMs} ms.`)
    const limit = deadlineAfter(this.#clock, probeWithinMs, tooLong, this.#stopWork.signal)
    try {
      await Promise.all(
        Array.from(this.#consumers, (consumer) => consumer.prove(generation.credential, limit.signal)),
      )
    } catch (error) {
      if (isRefusal(error)) await this.#rotateBeyond(generation.credential.generation, 'refused')
    } finally {
      limit[Symbol.dispose]()
    }
  }

  async #close(timeoutMs: number): Promise<void> {
    this.#cancelTimer?.()
    this.#noteState()
    if (this.#work) await settled(this.#clock, this.#work.done, finishWorkWithinMs)
    this.#stopWork.abort(new LeaseClosedError(`The lease of ${this.#source.description} was closed.`))
    await this.#work?.done
    await this.#doubt
    const cancel = this.#clock.schedule(timeoutMs, () => this.#stopDrains.abort(drainCutShort()))
    if (this.#inForce) this.#retire(this.#inForce, this.#clock.now() + timeoutMs)
    this.#inForce = undefined
    await Promise.all(this.#retirements.values())
    cancel()
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
      failures: this.#leaseFailures.count,
    })
    if (to === this.#state) return
    const from = this.#state
    this.#state = to
    announce(this, 'state', { source: this.#source.description, from, to })
  }

  #unavailable(why?: string, cause?: unknown): CredentialsUnavailableError {
    const reason = cause ?? this.#lastError
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

function isRefusal(error: unknown): boolean {
  return error instanceof Error && 'refused' in error && error.refused === true
}

function drainCutShort(): Error {
  return new LeaseClosedError('This connection was still in use when the time to close had passed.')
}

import type { VaultLeaseError } from '../errors.ts'
import type { Clock } from '../resilience/clock.ts'
import type { Lease } from '../source/lease.ts'
import type { IssuedCredential } from '../source/source.ts'
import { Credential } from './credential.ts'
import { FailureLog } from './failures.ts'
import { type Candidate, Generation } from './generation.ts'
import type { Facts, RotationReason } from './schedule.ts'
import type { TokenStatus } from './status.ts'

/** Where the lease stands: the generation in force, what failed since, and what was asked for beside the schedule. */
export class Standing {
  readonly failures = new FailureLog()
  readonly #clock: Clock
  readonly #random: () => number
  #inForce: Generation | undefined
  /** Out of force, with sessions that live on if the same user gets a new password. */
  #waiting: Generation | undefined
  #lastGeneration = 0
  #forced: Facts['forced']
  #unsure = false
  #tokenUnsure = false
  #tokenRenewedAt: number | undefined
  #jitter = 0

  constructor(clock: Clock, random: () => number) {
    this.#clock = clock
    this.#random = random
  }

  get inForce(): Generation | undefined {
    return this.#inForce
  }

  /** The number of the newest generation that was ever in force. */
  get lastGeneration(): number {
    return this.#lastGeneration
  }

  /** From when on the credential in force may not be used; `undefined` when there is none. */
  get deadline(): number | undefined {
    return this.#inForce?.deadline
  }

  /** The generation in force, if it may be used now. */
  get usable(): Generation | undefined {
    return this.#inForce && this.#inForce.leftMs(this.#clock.now()) > 0 ? this.#inForce : undefined
  }

  /** Whether something has made it uncertain that the lease is what it is known as. */
  get unsure(): boolean {
    return this.#unsure
  }

  /** How the token of the credential in force stands. */
  get token(): TokenStatus | undefined {
    const facts = this.#inForce?.issued.tokenFacts()
    if (!facts) return undefined
    const { token, lastOfToken } = this.failures
    const expiresInMs =
      facts.end === Number.POSITIVE_INFINITY ? undefined : Math.max(0, facts.end - this.#clock.now())
    return { expiresInMs, failures: token.count, lastError: lastOfToken?.message }
  }

  facts(): Facts {
    const issued = this.#inForce?.issued
    return {
      now: this.#clock.now(),
      lease: issued?.lease,
      token: issued?.tokenFacts(),
      jitter: this.#jitter,
      leaseFailures: this.failures.lease,
      tokenFailures: this.failures.token,
      forced: this.#forced,
      unsure: this.#unsure,
      tokenUnsure: this.#tokenUnsure,
      tokenRenewedAt: this.#tokenRenewedAt,
    }
  }

  /** Tags what was issued: a new user gets the next number; a new password of the same user keeps it, unless told otherwise. */
  candidate(issued: IssuedCredential, reason: RotationReason): Candidate {
    const { username, password } = issued
    const same = reason === 'manual' ? undefined : this.#generationOf(username)
    const number = same?.number ?? this.#lastGeneration + 1
    return { credential: new Credential(number, username, password), issued }
  }

  /** Whether the candidate is a new password of a user whose sessions live on. */
  isSuccession({ credential }: Candidate): boolean {
    return this.#generationOf(credential.username)?.number === credential.generation
  }

  /** Puts a candidate in force. Returns the generation, and those that are to be retired because of it. */
  publish(candidate: Candidate): {
    readonly generation: Generation
    readonly replaced: readonly Generation[]
  } {
    const before = [this.#inForce, this.#waiting].filter((each) => each !== undefined)
    const same = this.isSuccession(candidate) ? this.#generationOf(candidate.credential.username) : undefined
    same?.succeedBy(candidate)
    const generation = same ?? new Generation(candidate)
    this.#inForce = generation
    this.#waiting = undefined
    this.#lastGeneration = Math.max(this.#lastGeneration, generation.number)
    this.#forced = undefined
    this.#succeeded()
    // It was read with a token that lives.
    this.failures.tokenSucceeded()
    return { generation, replaced: before.filter((each) => each !== generation) }
  }

  /** Notes what is known now of a lease. Whether it is in force: it may have gone out of force while it was being renewed. */
  renewed(generation: Generation, lease: Lease): boolean {
    if (this.#inForce !== generation) return false
    generation.renewed(lease)
    this.#succeeded()
    return true
  }

  /** The credential in force is dead. Returns it, when its sessions have to go too. */
  takeOutOfForce(): { readonly dead: Generation | undefined; readonly toRetire: Generation | undefined } {
    const dead = this.#inForce
    this.#inForce = undefined
    dead?.end()
    // A user that nobody drops can come back with another password.
    if (!dead || dead.issued.lease.revocable) return { dead, toRetire: dead }
    this.#waiting = dead
    return { dead, toRetire: undefined }
  }

  /** Takes everything out of force for good. */
  end(): readonly Generation[] {
    const all = [this.#inForce, this.#waiting].filter((each) => each !== undefined)
    for (const each of all) each.end()
    this.#inForce = undefined
    this.#waiting = undefined
    return all
  }

  /** What sessions can still be open of, beside what is on its way out. */
  get held(): readonly Generation[] {
    return [this.#inForce, this.#waiting].filter((each) => each !== undefined)
  }

  /** Asks for a rotation beside the schedule. */
  force(reason: RotationReason, notBefore: number): void {
    this.#forced = { reason, notBefore }
  }

  /** What was asked for beside the schedule has come to nothing new. */
  done(): void {
    this.#forced = undefined
  }

  /** Has the source asked at once whether the credential in force lives, and how long its token does. */
  doubt(): void {
    this.#unsure = this.#inForce !== undefined
    this.#tokenUnsure = this.#unsure
  }

  /** Has the source asked at once whether it has another credential, where only it can know. */
  lookNow(): void {
    this.failures.tryNow()
    const lease = this.#inForce?.issued.lease
    if (lease?.lookAt !== undefined) this.#inForce?.renewed({ ...lease, lookAt: this.#clock.now() })
  }

  /** Whether nothing was ever in force, and nothing has failed yet. */
  get isFirstTry(): boolean {
    return this.#lastGeneration === 0 && this.failures.lease.count === 0
  }

  /** Whether the source gave the credential in force again. */
  has(issued: IssuedCredential): boolean {
    return isThatOf(this.#inForce, issued)
  }

  /** Whether the source gave again what was refused. */
  hasRefused(issued: IssuedCredential): boolean {
    return isThatOf(this.#waiting, issued)
  }

  leaseFailed(error: VaultLeaseError): void {
    this.failures.leaseFailed(error, this.#clock.now())
  }

  tokenFailed(error: VaultLeaseError): void {
    this.failures.tokenFailed(error, this.#clock.now())
  }

  tokenRenewed(): void {
    this.#tokenUnsure = false
    this.#tokenRenewedAt = this.#clock.now()
    this.failures.tokenSucceeded()
    this.#drawJitter()
  }

  #generationOf(username: string): Generation | undefined {
    return this.held.find((each) => each.username === username)
  }

  #succeeded(): void {
    this.#unsure = false
    this.failures.leaseSucceeded()
    this.#drawJitter()
  }

  #drawJitter(): void {
    this.#jitter = this.#random() * 2 - 1
  }
}

function isThatOf(
  generation: Generation | undefined,
  { username, password }: Pick<IssuedCredential, 'username' | 'password'>,
): boolean {
  const credential = generation?.credential
  return credential?.username === username && credential.password === password
}

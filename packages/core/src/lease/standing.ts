import type { VaultLeaseError } from '../errors.ts'
import type { Clock } from '../resilience/clock.ts'
import type { IssuedCredential } from '../source/source.ts'
import { FailureLog } from './failure-log.ts'
import type { Generation } from './generation.ts'
import type { Lease } from './lease.ts'
import { deadlineOf, type Facts, type RotationReason } from './schedule.ts'

/** Where the lease stands: the generation in force, what failed since, and what was asked for beside the schedule. */
export class Standing {
  readonly failures = new FailureLog()
  readonly #clock: Clock
  readonly #random: () => number
  #inForce: Generation | undefined
  #lastGeneration = 0
  #forced: Facts['forced']
  #unsure = false
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
    return this.#inForce && deadlineOf(this.#inForce.issued.lease, this.#inForce.issued.tokenFacts())
  }

  /** Whether there is a credential that may be used now. */
  get usable(): boolean {
    return this.deadline !== undefined && this.#clock.now() < this.deadline
  }

  /** Whether something has made it uncertain that the lease is what it is known as. */
  get unsure(): boolean {
    return this.#unsure
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
    }
  }

  /** Puts a generation in force. Returns the one that was before. */
  publish(next: Generation): Generation | undefined {
    const previous = this.#inForce
    this.#inForce = next
    this.#lastGeneration = next.credential.generation
    this.#forced = undefined
    this.#succeeded()
    return previous
  }

  /** Notes what is known now of the lease in force. Whether it was that of this generation. */
  renewed({ credential }: Generation, lease: Lease): boolean {
    const inForce = this.#inForce
    // It may have gone out of force while the renewal was under way, and is on its way out then.
    if (inForce?.credential !== credential) return false
    this.#inForce = { credential, issued: { ...inForce.issued, lease } }
    this.#succeeded()
    return true
  }

  takeOutOfForce(): Generation | undefined {
    const dead = this.#inForce
    this.#inForce = undefined
    return dead
  }

  /** Asks for a rotation beside the schedule. */
  force(reason: RotationReason, notBefore: number): void {
    this.#forced = { reason, notBefore }
  }

  /** Has the source asked at once whether the credential in force lives. */
  doubt(): void {
    this.#unsure = this.#inForce !== undefined
  }

  /** Has the source asked at once whether it has another credential, where only it can know. */
  lookNow(): void {
    this.failures.tryNow()
    const inForce = this.#inForce
    if (inForce?.issued.lease.lookAt === undefined) return
    const lease = { ...inForce.issued.lease, lookAt: this.#clock.now() }
    this.#inForce = { ...inForce, issued: { ...inForce.issued, lease } }
  }

  /** Whether the source gave the credential in force again. */
  has({ username, password }: IssuedCredential): boolean {
    const credential = this.#inForce?.credential
    return credential?.username === username && credential.password === password
  }

  leaseFailed(error: VaultLeaseError): void {
    this.failures.leaseFailed(error, this.#clock.now())
  }

  tokenFailed(error: VaultLeaseError): void {
    this.failures.tokenFailed(error, this.#clock.now())
  }

  tokenRenewed(): void {
    this.failures.tokenSucceeded()
    this.#drawJitter()
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

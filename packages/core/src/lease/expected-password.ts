import type { Clock } from '../resilience/clock.ts'
import { Waiters } from './waiters.ts'

/** Vault changes a password in the database before it knows it itself, and whoever renders a file learns of it from Vault. */
const comesWithinMs = 15_000
/** Of a user that was never let in, the password is rather wrong than about to change: it is tried once more. */
const firstComesWithinMs = 3_000

/** The password that a user may have by now, where nobody drops users: until it has come a refusal is no answer yet. */
export class ExpectedPassword {
  readonly #clock: Clock
  readonly #attempts = new Waiters()
  #until = Number.NEGATIVE_INFINITY

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** The user in force was refused. */
  ofUserInForce(): void {
    this.#until = this.#clock.now() + comesWithinMs
  }

  /** The first user was refused before it was in force. */
  ofFirstUser(): void {
    this.#until = this.#clock.now() + firstComesWithinMs
  }

  hasCome(): void {
    this.#until = Number.NEGATIVE_INFINITY
  }

  /** The next attempt, whatever has become of the last, while it may bring the password. */
  get nextAttempt(): Promise<void> | undefined {
    return this.#clock.now() < this.#until ? this.#attempts.change(undefined) : undefined
  }

  /** An attempt has ended, or none will be made any more. */
  attemptEnded(): void {
    this.#attempts.wake()
  }
}

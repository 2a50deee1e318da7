import { CredentialNotProvenError } from '../errors.ts'
import { type Clock, deadlineAfter } from '../resilience/clock.ts'
import type { Consumer } from './consumer.ts'
import type { Credential } from './credential.ts'

interface DoubtParts {
  readonly consumers: Iterable<Consumer>
  readonly clock: Clock
  readonly signal: AbortSignal
}

const gapMs = 10_000
const answerWithinMs = 2_000

/** Whether the database still accepts the credential in force: asked once in a while, when there is a reason to doubt it. */
export class Doubt {
  readonly #parts: DoubtParts
  #pending: Promise<void> | undefined
  #notBefore = Number.NEGATIVE_INFINITY

  constructor(parts: DoubtParts) {
    this.#parts = parts
  }

  /** Resolves with the answer, while one is awaited. */
  get pending(): Promise<void> | undefined {
    return this.#pending
  }

  /** Proves the credential anew, unless that is under way or was done a moment ago. */
  raise(credential: Credential, onRefused: () => void): void {
    const now = this.#parts.clock.now()
    if (this.#pending || now < this.#notBefore) return
    this.#notBefore = now + gapMs
    // It has to be pending before the proof begins, which needs to know that nobody else connects.
    this.#pending = Promise.resolve()
      .then(() => this.#isRefused(credential))
      .then((refused) => {
        this.#pending = undefined
        if (refused) onRefused()
      })
  }

  /** A database that gives no answer, or another error, has not refused. */
  async #isRefused(credential: Credential): Promise<boolean> {
    const { consumers, clock, signal } = this.#parts
    const tooLong = (): Error => new Error(`The database did not answer within ${answerWithinMs} ms.`)
    const limit = deadlineAfter(clock, answerWithinMs, tooLong, signal)
    try {
      await Promise.all(Array.from(consumers, (consumer) => consumer.prove(credential, limit.signal)))
      return false
    } catch (error) {
      return error instanceof CredentialNotProvenError && error.refused
    } finally {
      limit[Symbol.dispose]()
    }
  }
}

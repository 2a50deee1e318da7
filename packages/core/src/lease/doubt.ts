import { CredentialNotProvenError } from '../errors.ts'
import { type Clock, deadlineAfter } from '../resilience/clock.ts'
import { settled } from '../resilience/settle.ts'
import type { Consumer } from './consumer.ts'
import type { Credential } from './credential.ts'

interface DoubtParts {
  readonly consumers: Iterable<Consumer>
  readonly clock: Clock
  readonly signal: AbortSignal
}

/** However often statements are denied, proofs take no more than a tenth of the time. */
const shortestGapMs = 100
const gapOfProofs = 9
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
    if (this.#parts.clock.now() >= this.#notBefore) this.insist(credential, onRefused)
  }

  /** Proves the credential anew, and waits for what else may tell as well; not much longer than the proof may take. */
  insist(credential: Credential, onRefused: () => void, alsoAwait?: () => Promise<void> | undefined): void {
    const { clock } = this.#parts
    if (this.#pending) return
    const began = clock.now()
    // It has to be pending before the proof begins, which needs to know that nobody else connects.
    this.#pending = Promise.resolve()
      .then(() =>
        Promise.all([
          this.#isRefused(credential),
          settled(clock, alsoAwait?.() ?? Promise.resolve(), answerWithinMs),
        ]),
      )
      .then(([refused]) => {
        this.#pending = undefined
        const tookMs = clock.now() - began
        this.#notBefore = clock.now() + Math.max(shortestGapMs, tookMs * gapOfProofs)
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

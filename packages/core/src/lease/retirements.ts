import { setMaxListeners } from 'node:events'
import type { Tell } from '../observe/events.ts'
import { type Clock, deadlineAfter } from '../resilience/clock.ts'
import type { CredentialSource } from '../source/source.ts'
import type { Consumer } from './consumer.ts'
import type { Generation } from './generation.ts'
import { cutShortError, type RetirementSteps, retireAndRevoke } from './retirement.ts'
import { deadlineOf } from './schedule.ts'

interface RetirementsParts {
  readonly source: CredentialSource
  readonly consumers: Iterable<Consumer>
  readonly clock: Clock
  readonly drainTimeoutMs: number
  readonly tell: Tell
  readonly onFailed: RetirementSteps['onFailed']
}

/** What is closed under its holder has to be gone before the user is. MariaDB may take two seconds to end a statement. */
const closingTakesMs = 3_000

/** The old generations of one manager, each on its way out: drained, then revoked. */
export class Retirements {
  readonly #parts: RetirementsParts
  readonly #underWay = new Map<number, { readonly retiring: Generation; readonly done: Promise<void> }>()
  readonly #closing = new AbortController()
  readonly #closeNow = new AbortController()

  constructor(parts: RetirementsParts) {
    this.#parts = parts
    // Any number of generations can be on its way out.
    setMaxListeners(0, this.#closing.signal, this.#closeNow.signal)
  }

  get generations(): number[] {
    return [...this.#underWay.keys()]
  }

  /** The generation was replaced: its connections have until shortly before its lease ends by itself. */
  drain(retiring: Generation): void {
    this.#retire(retiring, Math.min(this.#parts.drainTimeoutMs, this.#timeLeft(retiring)))
  }

  /** The generation is dead: nothing can be done with its connections any more. */
  drop(retiring: Generation): void {
    this.#retire(retiring, 0)
  }

  /** Retires the last generation too, if there is one, and resolves when all are gone, at most `timeoutMs` and 7 s later. */
  async close(last: Generation | undefined, timeoutMs: number): Promise<void> {
    this.#closing.abort()
    const cancel = this.#parts.clock.schedule(timeoutMs, () => this.#closeNow.abort())
    if (last) this.#retire(last, Math.min(timeoutMs, this.#timeLeft(last)))
    await Promise.all(Array.from(this.#underWay.values(), ({ done }) => done))
    cancel()
  }

  /**
   * Has consumers close what they have of every generation, of the last one too, because they leave while the others go on.
   * Resolves at most `timeoutMs` later.
   */
  async part(consumers: Iterable<Consumer>, last: Generation | undefined, timeoutMs: number): Promise<void> {
    const { clock } = this.#parts
    const all = Array.from(this.#underWay.values(), ({ retiring }) => retiring)
    if (last) all.push(last)
    const withinMs = Math.min(timeoutMs, ...all.map((generation) => this.#timeLeft(generation)))
    const limit = deadlineAfter(clock, withinMs, cutShortError)
    const terms = { deadline: clock.now() + withinMs, signal: limit.signal, stragglerError: cutShortError }
    try {
      const parting = Array.from(consumers, (consumer) =>
        all.map(({ credential }) => consumer.retire(credential.generation, terms)),
      )
      const outcomes = await Promise.allSettled(parting.flat())
      for (const outcome of outcomes)
        if (outcome.status === 'rejected') this.#parts.onFailed('retire', outcome.reason)
    } finally {
      limit[Symbol.dispose]()
    }
  }

  /** How long its connections can be used before they have to be closed, so that they are gone when its user is. */
  #timeLeft({ issued }: Generation): number {
    const remaining = Math.max(0, deadlineOf(issued.lease, issued.tokenFacts()) - this.#parts.clock.now())
    return remaining - Math.min(closingTakesMs, remaining / 5)
  }

  #retire(retiring: Generation, withinMs: number): void {
    const { source, consumers, clock, tell, onFailed } = this.#parts
    const { generation, username } = retiring.credential
    const facts = { source: source.description, generation, username }
    const began = clock.now()
    const done = retireAndRevoke({
      retiring,
      deadline: began + withinMs,
      source,
      consumers,
      clock,
      closing: this.#closing.signal,
      closeNow: this.#closeNow.signal,
      onRetired: (retired) => tell('retired', { ...facts, ...retired, tookMs: clock.now() - began }),
      onRevoked: () => tell('revoked', facts),
      onFailed,
    }).finally(() => void this.#underWay.delete(generation))
    this.#underWay.set(generation, { retiring, done })
  }
}

import { setMaxListeners } from 'node:events'
import { type Clock, deadlineAfter } from '../resilience/clock.ts'
import type { Lease } from '../source/lease.ts'
import type { CredentialSource } from '../source/source.ts'
import type { Attachment } from './attachment.ts'
import { drainOf } from './drain.ts'
import { endLease } from './end-lease.ts'
import type { Tell } from './events.ts'
import type { Generation } from './generation.ts'
import { cutShortError, type RetirementSteps, retireAndRevoke } from './retirement.ts'

interface OldGenerationsParts {
  readonly source: CredentialSource
  readonly attachments: Iterable<Attachment>
  readonly clock: Clock
  readonly drainTimeoutMs: number
  readonly tell: Tell
  readonly onFailed: RetirementSteps['onFailed']
}

/** What is closed under its holder has to be gone before the user is. MariaDB may take two seconds to end a statement. */
const closingTakesMs = 3_000

/** The generations that were replaced, or have died, each on its way out: drained, then revoked. */
export class OldGenerations {
  readonly #parts: OldGenerationsParts
  readonly #underWay = new Map<number, { readonly retiring: Generation; readonly done: Promise<void> }>()
  readonly #discarded = new Set<Promise<void>>()
  readonly #closing = new AbortController()
  readonly #closeNow = new AbortController()
  #hurrying = new AbortController()
  #closeBy = Number.POSITIVE_INFINITY

  constructor(parts: OldGenerationsParts) {
    this.#parts = parts
    // Any number of generations can be on its way out.
    setMaxListeners(0, this.#closing.signal, this.#closeNow.signal, this.#hurrying.signal)
  }

  get numbers(): number[] {
    return [...this.#underWay.keys()]
  }

  /** The generation was replaced: its connections have until shortly before its lease ends by itself. */
  drain(retiring: Generation): void {
    const { clock, drainTimeoutMs } = this.#parts
    const leftMs = this.#timeLeft(retiring)
    const ageMs = clock.now() - retiring.issued.lease.issuedAt
    const { totalMs, turnsMs } = drainOf({ ageMs, leftMs, drainTimeoutMs })
    this.#retire(retiring, totalMs, turnsMs)
  }

  /** The user is not sure to live any more: nobody takes a connection of it, but whoever holds one has the same time. */
  abandon(retiring: Generation): void {
    this.#retire(retiring, Math.min(this.#parts.drainTimeoutMs, this.#timeLeft(retiring)))
  }

  /** Nobody knows how much time has gone by: no more turns, all leave. */
  hurry(): void {
    this.#hurrying.abort()
    this.#hurrying = new AbortController()
    setMaxListeners(0, this.#hurrying.signal)
  }

  /** The generation is dead: nothing can be done with its connections any more. */
  drop(retiring: Generation): void {
    this.#retire(retiring, 0)
  }

  /** Ends a lease that was never in force. Resolves when nothing more can be done about it; never rejects. */
  discard(lease: Lease): Promise<void> {
    const { source, clock, onFailed } = this.#parts
    const done = endLease({
      lease,
      source,
      clock,
      closing: this.#closing.signal,
      closeBy: () => this.#closeBy,
      onRevoked: () => {},
      onFailed,
    }).finally(() => void this.#discarded.delete(done))
    this.#discarded.add(done)
    return done
  }

  /** Retires the last ones too, and resolves when all are gone. */
  async close(last: readonly Generation[], drainMs: number, closeBy: number): Promise<void> {
    this.#closeBy = closeBy
    this.#closing.abort()
    this.hurry()
    const cancel = this.#parts.clock.schedule(drainMs, () => this.#closeNow.abort())
    for (const { retiring } of this.#underWay.values()) retiring.end()
    for (const each of last) this.#retire(each, Math.min(drainMs, this.#timeLeft(each)))
    await Promise.all([...Array.from(this.#underWay.values(), ({ done }) => done), ...this.#discarded])
    cancel()
  }

  /** Whoever is draining because of a close has had time enough. */
  closeNow(): void {
    this.#closeNow.abort()
  }

  /** Has one consumer close what it has of every generation, because it leaves while the others go on. */
  async part(
    attachment: Attachment,
    last: readonly Generation[],
    drainMs: number,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const { clock } = this.#parts
    const all = [...Array.from(this.#underWay.values(), ({ retiring }) => retiring), ...last]
    const withinMs = Math.min(drainMs, ...all.map((generation) => this.#timeLeft(generation)))
    const limit = deadlineAfter(clock, withinMs, cutShortError, signal)
    const terms = { deadline: clock.now() + withinMs, signal: limit.signal, stragglerError: cutShortError }
    try {
      const outcomes = await Promise.all(all.map((generation) => attachment.retire(generation, terms)))
      for (const { failure } of outcomes) if (failure !== undefined) this.#parts.onFailed('retire', failure)
    } finally {
      limit[Symbol.dispose]()
    }
  }

  /** How long its connections can be used before they have to be closed, so that they are gone when its user is. */
  #timeLeft({ deadline }: Generation): number {
    const remaining = Math.max(0, deadline - this.#parts.clock.now())
    return remaining - Math.min(closingTakesMs, remaining / 5)
  }

  #retire(retiring: Generation, withinMs: number, turnsMs = 0): void {
    const { source, attachments, clock, tell, onFailed } = this.#parts
    const { number: generation, username } = retiring
    const facts = { source: source.description, generation, username }
    const began = clock.now()
    let retiredAt = began
    retiring.retireBy(began + withinMs)
    for (const attachment of attachments) attachment.lookAnew()
    const done = retireAndRevoke({
      retiring,
      deadline: began + withinMs,
      turns: turnsMs > 0 ? { by: began + turnsMs, over: this.#hurrying.signal } : undefined,
      source,
      attachments,
      clock,
      closing: this.#closing.signal,
      closeNow: this.#closeNow.signal,
      closeBy: () => this.#closeBy,
      onRetired: (retired) => {
        retiredAt = clock.now()
        tell('retired', { ...facts, ...retired, tookMs: retiredAt - began })
      },
      onRevoked: () => tell('revoked', { ...facts, tookMs: clock.now() - retiredAt }),
      onFailed,
    }).finally(() => void this.#underWay.delete(generation))
    this.#underWay.set(generation, { retiring, done })
  }
}

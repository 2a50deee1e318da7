import { type Clock, deadlineAfter } from '../resilience/clock.ts'
import { settled } from '../resilience/settle.ts'
import type { CredentialSource } from '../source/source.ts'
import type { Generation } from './generation.ts'
import type { AttemptTerms, Rotation } from './rotation.ts'
import type { Action } from './schedule.ts'
import type { Standing } from './standing.ts'
import { sourceGaveNoAnswer } from './unavailable.ts'

/** An action that may fail, because it needs Vault or the database. */
export type Attempt = Exclude<Action, { do: 'expire' }>

interface WorkParts {
  readonly source: CredentialSource
  readonly clock: Clock
  readonly standing: Standing
  readonly rotation: Rotation
  readonly onFailed: (attempted: Attempt['do'], error: unknown) => void
  /** Vault does not know the lease any more, and its user is long gone. */
  readonly onGone: (generation: Generation) => void
}

const firstAttemptLimitMs = 15_000
const longestAttemptMs = 60_000
const shortestAttemptMs = 3_000

/** The one attempt of a lease that is under way, and the time that it has. */
export class Work {
  readonly #parts: WorkParts
  readonly #stop = new AbortController()
  #underWay: { readonly action: Attempt; readonly done: Promise<void> } | undefined
  #ended = 0

  constructor(parts: WorkParts) {
    this.#parts = parts
  }

  /** What is being attempted. */
  get doing(): Attempt['do'] | undefined {
    return this.#underWay?.action.do
  }

  /** Resolves with the end of what is under way; none when nothing is. */
  get done(): Promise<void> | undefined {
    return this.#underWay?.done
  }

  /** How many attempts are over. */
  get ended(): number {
    return this.#ended
  }

  /** Never rejects: a failure is told to `onFailed`. */
  begin(action: Attempt, onEnd: () => void): Promise<void> {
    const done = this.#perform(action).finally(() => {
      this.#underWay = undefined
      this.#ended++
      onEnd()
    })
    this.#underWay = { action, done }
    return done
  }

  /** What is under way may go on for this many milliseconds, and is aborted then. */
  async stop(withinMs: number, reason: Error): Promise<void> {
    if (this.done) await settled(this.#parts.clock, this.done, withinMs)
    this.#stop.abort(reason)
  }

  async #perform(action: Attempt): Promise<void> {
    const { clock, standing, onFailed } = this.#parts
    const limitMs = this.#limitMs()
    const tooLong = (): Error => sourceGaveNoAnswer(action.do, limitMs)
    const limit = deadlineAfter(clock, limitMs, tooLong, this.#stop.signal)
    const now = clock.now()
    // Without a credential to lose there is still somebody to be served.
    const deadline = standing.deadline ?? now
    try {
      await this.#attempt(action, { signal: limit.signal, deadline, until: now + limitMs })
    } catch (error) {
      onFailed(action.do, error)
    } finally {
      limit[Symbol.dispose]()
    }
  }

  async #attempt(action: Attempt, terms: AttemptTerms): Promise<void> {
    const { rotation, source, standing } = this.#parts
    if (action.do === 'rotate') return await rotation.replace(action.reason, terms)
    if (action.do === 'look') return await rotation.look(terms)
    if (action.do === 'renew') return await this.#renew(terms)
    await source.renewToken(terms.signal)
    standing.tokenRenewed()
  }

  async #renew(terms: AttemptTerms): Promise<void> {
    const { clock, standing, source, rotation, onGone } = this.#parts
    const generation = standing.inForce
    if (!generation) return
    const lease = await source.renew(generation.issued.lease, terms)
    if (lease !== 'gone') rotation.hold(lease, generation)
    // Sessions of the user may go on a little; only after a sleep the user is known to be long gone.
    else if (standing.unsure) onGone(generation)
    else standing.force('lease-gone', clock.now())
  }

  /** A hung server must not use up the time that other attempts need. */
  #limitMs(): number {
    const { clock, standing } = this.#parts
    if (standing.deadline === undefined) return firstAttemptLimitMs
    const remaining = standing.deadline - clock.now()
    return Math.min(longestAttemptMs, Math.max(shortestAttemptMs, remaining / 2))
  }
}

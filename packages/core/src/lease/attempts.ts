import type { LeaseStep, Tell } from '../observe/events.ts'
import type { Clock } from '../resilience/clock.ts'
import type { CredentialSource, IssuedCredential, RequestTerms } from '../source/source.ts'
import { isLeaseFinal, isLeaseGone } from '../vault/errors.ts'
import type { Consumer } from './consumer.ts'
import type { Generation } from './generation.ts'
import { finalLease, type Lease } from './lease.ts'
import { prove } from './proof.ts'
import type { Action, RotationReason } from './schedule.ts'
import type { Standing } from './standing.ts'

/** An action that may fail, because it needs Vault or the database. */
export type Attempt = Exclude<Action, { do: 'expire' }>

interface AttemptsParts {
  readonly source: CredentialSource
  readonly clock: Clock
  readonly standing: Standing
  readonly consumers: Iterable<Consumer>
  readonly tell: Tell
  readonly onFailed: (step: LeaseStep, error: unknown) => void
  /** Another generation is in force now. */
  readonly onReplaced: (previous: Generation) => void
  /** Vault knows the lease no longer. */
  readonly onGone: (generation: Generation) => void
}

/** What is attempted with the lease. When, and what follows a failure, is decided by the engine. */
export class Attempts {
  readonly #parts: AttemptsParts
  #proving = false

  constructor(parts: AttemptsParts) {
    this.#parts = parts
  }

  /** On whom an attempt under way depends at this moment. */
  get waitsFor(): 'source' | 'database' {
    return this.#proving ? 'database' : 'source'
  }

  /** Rejects with what made it fail. */
  async make(attempt: Attempt, terms: RequestTerms): Promise<void> {
    if (attempt.do === 'rotate') await this.#rotate(attempt.reason, terms)
    else if (attempt.do === 'look') await this.#look(terms)
    else if (attempt.do === 'renew') await this.#renew(terms)
    else await this.#renewToken(terms.signal)
  }

  async #rotate(reason: RotationReason, terms: RequestTerms): Promise<void> {
    const began = this.#parts.clock.now()
    const issued = await this.#fetch(reason, terms)
    if (reason === 'age' && this.#parts.standing.has(issued)) this.#hold(issued.lease)
    else await this.#proveAndPublish(issued, reason, terms, began)
  }

  /** Whether the source has another credential by now. */
  async #look(terms: RequestTerms): Promise<void> {
    const began = this.#parts.clock.now()
    const issued = await this.#fetch(undefined, terms)
    if (this.#parts.standing.has(issued)) this.#hold(issued.lease)
    else await this.#proveAndPublish(issued, 'changed', terms, began)
  }

  #fetch(reason: RotationReason | undefined, terms: RequestTerms): Promise<IssuedCredential> {
    const { source, standing } = this.#parts
    return source.fetch({ ...terms, reason, outliveMs: standing.inForce?.issued.lease.durationMs ?? 0 })
  }

  async #proveAndPublish(
    issued: IssuedCredential,
    reason: RotationReason,
    { signal }: RequestTerms,
    began: number,
  ): Promise<void> {
    const { source, clock, standing, consumers, tell, onFailed, onReplaced } = this.#parts
    this.#proving = true
    const next = await prove(issued, {
      source,
      consumers,
      clock,
      generation: standing.lastGeneration + 1,
      signal,
      onOrphan: (error) => onFailed('revoke', error),
    }).finally(() => {
      this.#proving = false
    })
    const previous = standing.publish(next)
    if (previous) onReplaced(previous)
    const { generation, username } = next.credential
    const tookMs = clock.now() - began
    tell('rotated', { source: source.description, generation, username, reason, tookMs })
  }

  async #renew(terms: RequestTerms): Promise<void> {
    const { source, standing, onGone } = this.#parts
    const generation = standing.inForce
    if (!generation) return
    const { lease } = generation.issued
    try {
      this.#hold(await source.renew(lease, terms), generation)
    } catch (error) {
      if (isLeaseGone(error)) onGone(generation)
      else if (isLeaseFinal(error)) this.#hold(finalLease(lease), generation)
      else throw error
    }
  }

  /** The credential in force stays, by these facts. */
  #hold(lease: Lease, generation = this.#parts.standing.inForce): void {
    const { source, clock, standing, tell } = this.#parts
    if (!generation || !standing.renewed(generation, lease)) return
    const expiresInMs = (standing.deadline ?? 0) - clock.now()
    if (expiresInMs === Number.POSITIVE_INFINITY) return
    const number = generation.credential.generation
    tell('renewed', { source: source.description, generation: number, expiresInMs })
  }

  async #renewToken(signal: AbortSignal): Promise<void> {
    await this.#parts.source.renewToken(signal)
    this.#parts.standing.tokenRenewed()
  }
}

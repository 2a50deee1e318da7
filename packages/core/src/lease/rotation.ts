import { CredentialNotProvenError, LeaseClosedError } from '../errors.ts'
import type { Clock } from '../resilience/clock.ts'
import { settled } from '../resilience/settle.ts'
import type { Lease } from '../source/lease.ts'
import type { CredentialSource, IssuedCredential, RequestTerms } from '../source/source.ts'
import type { Attachment } from './attachment.ts'
import type { Attachments } from './attachments.ts'
import type { Credential } from './credential.ts'
import type { LeaseStep, RotationOutcome, Tell } from './events.ts'
import type { ExpectedPassword } from './expected-password.ts'
import { FirstProof } from './first-proof.ts'
import type { Candidate, Generation } from './generation.ts'
import type { OldGenerations } from './old-generations.ts'
import { RotationSteps } from './rotation-steps.ts'
import { deadlineOf, type RotationReason } from './schedule.ts'
import type { Standing } from './standing.ts'

/** What a rotation is made of. */
interface RotationParts {
  readonly source: CredentialSource
  readonly clock: Clock
  readonly standing: Standing
  readonly attachments: Attachments
  readonly old: OldGenerations
  readonly expectedPassword: ExpectedPassword
  readonly tell: Tell
  readonly onFailed: (step: LeaseStep, error: unknown, place?: string) => void
}

/** What an attempt may take. */
export interface AttemptTerms extends RequestTerms {
  /** When the attempt is given up, on the manager's clock. */
  readonly until: number
}

/** What a cache before Vault has would be no help. */
const pastCache: ReadonlySet<RotationReason> = new Set([
  'refused',
  'lease-gone',
  'manual',
  'token',
  'wake-up',
])
/** The next attempt, and its user, had better come when this one's is gone. */
const giveBackWithinMs = 5_000

/**
 * The first three steps of a rotation: fetch, prove, publish. The credential is in force as soon as the first consumer has
 * proven it; each of the others goes on with what it has until its own database has answered.
 */
export class Rotation {
  readonly #parts: RotationParts
  /** While it is being proven. */
  #proving: FirstProof | undefined

  constructor(parts: RotationParts) {
    this.#parts = parts
  }

  /** Fetches another credential and puts it in force. Rejects with what made it fail: what was in force stays, then. */
  async replace(reason: RotationReason, terms: AttemptTerms): Promise<void> {
    const steps = new RotationSteps(this.#parts.clock)
    try {
      const issued = await this.#fetch(terms, pastCache.has(reason))
      steps.done('fetch')
      const asked = reason === 'age' || reason === 'refused'
      if (asked && this.#parts.standing.has(issued)) {
        this.#parts.standing.done()
        this.hold(issued.lease)
        this.#tellOutcome('unchanged', reason, steps)
      } else await this.#proveAndPublish(issued, reason, terms, steps)
    } catch (error) {
      this.#tellFailure(error, reason, steps, terms)
      throw error
    }
  }

  /** Puts another credential in force if the source has one by now. Rejects with what made it fail. */
  async look(terms: AttemptTerms): Promise<void> {
    const steps = new RotationSteps(this.#parts.clock)
    const issued = await this.#fetch(terms, false)
    steps.done('fetch')
    if (this.#parts.standing.has(issued)) return this.hold(issued.lease)
    try {
      await this.#proveAndPublish(issued, 'changed', terms, steps)
    } catch (error) {
      this.#tellFailure(error, 'changed', steps, terms)
      throw error
    }
  }

  /** The credential in force stays, by these facts of its lease. */
  hold(lease: Lease, generation: Generation | undefined = this.#parts.standing.inForce): void {
    const { source, clock, standing, tell } = this.#parts
    if (!generation || !standing.renewed(generation, lease)) return
    const expiresInMs = generation.deadline - clock.now()
    if (expiresInMs === Number.POSITIVE_INFINITY) return
    tell('renewed', { source: source.description, generation: generation.number, expiresInMs })
  }

  /** Somebody joins, and need not wait for what others on the lease are waiting for. */
  joins(attachment: Attachment): void {
    const { inForce } = this.#parts.standing
    if (inForce) attachment.follow(inForce, inForce.credential)
    else this.#proving?.offerTo(attachment)
  }

  #fetch({ signal, deadline }: RequestTerms, fresh: boolean): Promise<IssuedCredential> {
    const { source, standing, old } = this.#parts
    const outliveMs = standing.inForce?.issued.lease.durationMs ?? 0
    const discard = (lease: Lease): void => void old.discard(lease)
    return source.fetch({ signal, deadline, outliveMs, pastCache: fresh, discard })
  }

  async #proveAndPublish(
    issued: IssuedCredential,
    reason: RotationReason,
    { until }: AttemptTerms,
    steps: RotationSteps,
  ): Promise<void> {
    const { clock, standing, attachments, expectedPassword, onFailed } = this.#parts
    const candidate = standing.candidate(issued, reason)
    const proving = new FirstProof({
      credential: candidate.credential,
      clock,
      until,
      wasRefused: standing.hasRefused(issued),
      publish: () => this.#publish(candidate, reason, steps),
      onFailed: (attachment, error) => onFailed('prove', error, attachment.status().place),
    })
    this.#proving = proving
    const proven = proving.toAll(attachments).finally(() => {
      this.#proving = undefined
    })
    try {
      await proven
    } catch (error) {
      const mayHaveAnotherPassword = isRefusal(error) && !issued.lease.revocable
      if (mayHaveAnotherPassword && standing.isFirstTry) expectedPassword.ofFirstUser()
      steps.failed(error)
      await this.#withdraw(candidate)
      throw error
    }
  }

  #publish(candidate: Candidate, reason: RotationReason, steps: RotationSteps): Generation {
    steps.done('prove')
    const { source, clock, standing, attachments, old, expectedPassword, tell } = this.#parts
    const { credential, issued } = candidate
    if (clock.now() >= deadlineOf(issued.lease, issued.tokenFacts())) throw overBeforeItsUse(credential)
    const sameUser = standing.isSuccession(candidate)
    // A database that lags behind still takes what others have refused.
    if (!standing.hasRefused(issued)) expectedPassword.hasCome()
    const { generation, replaced } = standing.publish(candidate)
    for (const attachment of attachments) attachment.follow(generation, credential)
    for (const each of replaced) old.drain(each)
    steps.done('publish')
    const { username } = credential
    tell(sameUser ? 'passwordChanged' : 'rotated', {
      source: source.description,
      generation: generation.number,
      username,
      reason,
      tookMs: steps.tookMs,
    })
    this.#tellOutcome('success', reason, steps, replaced)
    return generation
  }

  /** Unless it is only that the lease was closed meanwhile. */
  #tellFailure(error: unknown, reason: RotationReason, steps: RotationSteps, { signal }: AttemptTerms): void {
    steps.failed(error)
    if (!(signal.reason instanceof LeaseClosedError)) this.#tellOutcome('failure', reason, steps)
  }

  #tellOutcome(
    outcome: RotationOutcome,
    reason: RotationReason,
    steps: RotationSteps,
    replaced: readonly Generation[] = [],
  ): void {
    const { source, standing, tell } = this.#parts
    tell('rotation', {
      source: source.description,
      reason,
      outcome,
      generation: standing.inForce?.number ?? 0,
      tookMs: steps.tookMs,
      steps: steps.all,
      replaced: replaced.map(({ number: generation, username }) => ({ generation, username })),
    })
  }

  /** What nobody has proven is given back. Of a user that has sessions only a password was tried. */
  async #withdraw(candidate: Candidate): Promise<void> {
    const { attachments, standing, clock, old, onFailed } = this.#parts
    const { credential, issued } = candidate
    if (!standing.isSuccession(candidate))
      await Promise.all(
        Array.from(attachments, (attachment) =>
          attachment
            .withdraw(credential)
            .catch((error: unknown) => onFailed('retire', error, attachment.status().place)),
        ),
      )
    if (issued.lease.revocable) await settled(clock, old.discard(issued.lease), giveBackWithinMs)
  }
}

function isRefusal(error: unknown): boolean {
  return error instanceof CredentialNotProvenError && error.refused
}

function overBeforeItsUse({ username }: Credential): CredentialNotProvenError {
  return new CredentialNotProvenError(
    `The lease of the database user "${username}" was over before the user could be proven: let it live longer (default_ttl of a role, expiresAt of a function).`,
    { refused: false },
  )
}

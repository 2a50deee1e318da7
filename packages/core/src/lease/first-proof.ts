import { CredentialNotProvenError, type VaultLeaseError } from '../errors.ts'
import type { Clock } from '../resilience/clock.ts'
import type { Attachment } from './attachment.ts'
import type { Credential } from './credential.ts'
import type { Generation } from './generation.ts'
import type { Verdict } from './proof.ts'

interface FirstProofParts {
  readonly credential: Credential
  readonly clock: Clock
  /** When a consumer that has not answered is given up, on the clock. */
  readonly until: number
  /** Whether the source gives again what was refused: no database can still be about to learn of it. */
  readonly wasRefused: boolean
  /** Puts the credential in force. */
  publish(): Generation
  /** A consumer could not prove what others have. */
  onFailed(attachment: Attachment, error: VaultLeaseError): void
}

/** The proofs of one credential to every consumer, side by side: it is published with the first that succeeds. */
export class FirstProof {
  readonly #parts: FirstProofParts
  readonly #failures = new Map<Attachment, VaultLeaseError>()
  readonly #published: Promise<void>
  #succeeded = (): void => {}
  #failed: (error: unknown) => void = () => {}
  #pending = 0
  #full = false
  #refused = false
  #generation: Generation | undefined
  #givenUp = false

  constructor(parts: FirstProofParts) {
    this.#parts = parts
    this.#published = new Promise((resolve, reject) => {
      this.#succeeded = resolve
      this.#failed = reject
    })
  }

  /** Resolves once it is published. Rejects when nobody is left who could prove it, with what the first one heard. */
  async toAll(attachments: Iterable<Attachment>): Promise<void> {
    for (const attachment of attachments) this.offerTo(attachment)
    if (this.#pending === 0) this.#publish()
    await this.#published
  }

  offerTo(attachment: Attachment): void {
    // Nobody who joins later is offered what is given back.
    if (this.#givenUp) return
    const { credential, clock, until, wasRefused: once } = this.#parts
    this.#pending++
    void attachment.offer(credential, { withinMs: until - clock.now(), once }, (verdict) => {
      this.#pending--
      this.#decide(attachment, verdict)
    })
  }

  #decide(attachment: Attachment, verdict: Verdict): void {
    if ('error' in verdict) this.#note(attachment, verdict.error)
    else if (verdict.answer === 'accepted') this.#publish()
    this.#full ||= verdict.answer === 'full'
    this.#refused ||= verdict.answer === 'refused'
    if (this.#generation) attachment.follow(this.#generation, this.#parts.credential)
    else if (this.#pending === 0) this.#giveUp()
  }

  #note(attachment: Attachment, error: VaultLeaseError): void {
    if (this.#generation) this.#parts.onFailed(attachment, error)
    else this.#failures.set(attachment, error)
  }

  #giveUp(): void {
    const { credential, wasRefused } = this.#parts
    const [failure] = this.#failures.values()
    const isUntried = this.#full && !this.#refused
    if (isUntried && wasRefused) this.#fail(stillRefused(credential))
    // Whoever could have been asked has left, or has no place to try it in, and nobody has refused it.
    else if (failure === undefined || isUntried) this.#publish()
    else this.#fail(failure)
  }

  #fail(failure: unknown): void {
    this.#givenUp = true
    this.#failed(failure)
  }

  #publish(): void {
    if (this.#generation || this.#givenUp) return
    try {
      this.#generation = this.#parts.publish()
      this.#succeeded()
    } catch (error) {
      this.#fail(error)
      return
    }
    for (const [attachment, error] of this.#failures) this.#parts.onFailed(attachment, error)
  }
}

function stillRefused({ username }: Credential): CredentialNotProvenError {
  return new CredentialNotProvenError(
    `For the user "${username}" the same password was given again that its database has refused, and no pool has room for a connection to try it. It is asked for again.`,
    { refused: false },
  )
}

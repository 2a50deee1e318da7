import type { Consumer } from './consumer.ts'
import type { Credential } from './credential.ts'
import { ask, askAgainWhileRefused, type ProofTerms, type Verdict } from './proof.ts'

/** A credential that one consumer is offered before it is in force. */
export class Offer {
  readonly credential: Credential
  readonly #ask: typeof ask
  readonly #outdated = new AbortController()
  #verdict: Verdict | undefined

  /** @param once whether a refusal is final. */
  constructor(credential: Credential, once: boolean) {
    this.credential = credential
    this.#ask = once ? ask : askAgainWhileRefused
  }

  /** What the database has said of it; none while it is asked. */
  get verdict(): Verdict | undefined {
    return this.#verdict
  }

  /** Asks the database until it knows the user, the time is over, or nobody wants to know any more. Never rejects. */
  async prove(consumer: Consumer, { clock, withinMs, left }: ProofTerms): Promise<Verdict> {
    const leave = (): void => this.#outdated.abort(left.reason)
    left.addEventListener('abort', leave, { once: true })
    const terms = { clock, withinMs, left: this.#outdated.signal }
    this.#verdict = await this.#ask(consumer, this.credential, terms)
    left.removeEventListener('abort', leave)
    return this.#verdict
  }

  /** A newer one is offered. */
  outdate(): void {
    this.#outdated.abort(new Error('a newer credential is offered'))
  }
}

import type { VaultAnswer } from '../answer.ts'
import { isWrappingOver, VaultError } from '../errors.ts'
import type { LoginContext } from './auth.ts'

/** What was wrapped in a token, unwrapped once and remembered: a wrapping token can be used a single time. */
export class Unwrapped {
  readonly #what: string
  #wrappingToken: string | undefined
  #secret: string | undefined

  constructor(what: string) {
    this.#what = what
  }

  /**
   * The secret in this wrapping token.
   *
   * @throws VaultError with ERR_VAULT_LOGIN_FAILED when somebody has used the wrapping token before, or its time is over.
   */
  async secretIn(
    wrappingToken: string,
    { unwrap }: LoginContext,
    pick: (answer: VaultAnswer) => unknown,
  ): Promise<string> {
    if (this.#secret !== undefined && wrappingToken === this.#wrappingToken) return this.#secret
    const secret = pick(await this.#unwrapWith(unwrap, wrappingToken))
    if (typeof secret !== 'string') throw this.#failed('holds something else')
    this.#wrappingToken = wrappingToken
    this.#secret = secret
    return secret
  }

  async #unwrapWith(unwrap: LoginContext['unwrap'], wrappingToken: string): Promise<VaultAnswer> {
    try {
      return await unwrap(wrappingToken)
    } catch (cause) {
      if (!isWrappingOver(cause)) throw cause
      throw this.#failed(
        'was used before, or its time is over: if nobody of yours has unwrapped it, somebody else has',
        cause,
      )
    }
  }

  #failed(why: string, cause?: unknown): VaultError {
    return new VaultError(`The wrapping token of the ${this.#what} ${why}. Get a new one.`, {
      code: 'ERR_VAULT_LOGIN_FAILED',
      cause,
    })
  }
}

import type { VaultAnswer } from '../answer.ts'
import { isWrappingOver, VaultError } from '../errors.ts'
import type { LoginContext } from './auth.ts'

/** The paths at which a secret is wrapped, as a pattern and for people. */
interface MadeAt {
  readonly pattern: RegExp
  readonly shown: string
}

/** What was wrapped in a token, unwrapped once and remembered: a wrapping token can be used a single time. */
export class Unwrapped {
  readonly #what: string
  readonly #madeAt: MadeAt | undefined
  #wrappingToken: string | undefined
  #secret: string | undefined

  /** @param madeAt where alone it is wrapped; undefined where that cannot be known. */
  constructor(what: string, madeAt?: MadeAt) {
    this.#what = what
    this.#madeAt = madeAt
  }

  /**
   * The secret in this wrapping token.
   *
   * @throws VaultError with ERR_VAULT_LOGIN_FAILED when somebody has used the wrapping token before, or has made it
   * somewhere else, or its time is over.
   */
  async secretIn(
    wrappingToken: string,
    context: LoginContext,
    pick: (answer: VaultAnswer) => unknown,
  ): Promise<string> {
    if (this.#secret !== undefined && wrappingToken === this.#wrappingToken) return this.#secret
    await this.#checkOrigin(context, wrappingToken)
    const secret = pick(await this.#unlessOver(context.unwrap(wrappingToken)))
    if (typeof secret !== 'string') throw this.#failed('holds something else')
    this.#wrappingToken = wrappingToken
    this.#secret = secret
    return secret
  }

  /** Whoever has unwrapped it and wraps it again does so elsewhere. */
  async #checkOrigin(context: LoginContext, wrappingToken: string): Promise<void> {
    if (!this.#madeAt) return
    const { data } = await this.#unlessOver(context.lookUpWrapped(wrappingToken))
    const path = String(data['creation_path'])
    if (this.#madeAt.pattern.test(path)) return
    throw this.#failed(
      `was made at ${path}, and not at ${this.#madeAt.shown}: somebody may have unwrapped it, read what is in it and wrapped it again`,
    )
  }

  async #unlessOver(asked: Promise<VaultAnswer>): Promise<VaultAnswer> {
    try {
      return await asked
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

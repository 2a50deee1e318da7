import type { VaultAnswer, VaultAuth } from '../answer.ts'
import type { VaultRequest } from '../client.ts'

/** What a method may use to log in. */
export interface LoginContext {
  /**
   * Sends the login request and gives back the token that Vault made, to be returned as it is. It is given up with `signal`.
   *
   * @throws VaultError when Vault refuses it, or cannot be asked.
   * @throws InvalidOptionError for a path that does not begin with `auth/`.
   */
  login(request: VaultRequest): Promise<Login>
  /**
   * What is known of this wrapping token, `creation_path` among it: at which path what is in it was wrapped. It can be unwrapped
   * afterwards.
   *
   * @throws VaultError
   */
  lookUpWrapped(wrappingToken: string): Promise<VaultAnswer>
  /**
   * Unwraps what was wrapped in this token, which can be done once.
   *
   * @throws VaultError
   */
  unwrap(wrappingToken: string): Promise<VaultAnswer>
  /** Aborted when nobody waits for the login any more. */
  readonly signal: AbortSignal | undefined
}

/**
 * The outcome: a token that Vault made for us, which we give back in the end, or one that the caller has, or none, because
 * something before Vault adds one.
 */
export type Login =
  /** `sentAt`: when the request was sent, in milliseconds of `performance.now()`. */
  | { readonly kind: 'issued'; readonly auth: VaultAuth; readonly sentAt: number }
  | { readonly kind: 'given'; readonly token: string }
  | { readonly kind: 'none' }

/** One way to come to a token. */
export interface AuthMethod {
  readonly name: string
  /** Equal for two methods that log in as the same: then leases share the token. None when that cannot be known. */
  readonly identity?: string | undefined
  logIn(context: LoginContext): Promise<Login>
}

/**
 * A way of the caller's own to a token: the token itself, which is renewed while it can be and never revoked, or what
 * `context.login()` gave, which is revoked in the end.
 *
 * @example
 * createVault({ auth: async ({ login }) => login({ method: 'POST', path: 'auth/aws/login', body: await signedRequest() }) })
 */
export type AuthFunction = (context: LoginContext) => Promise<string | Login>

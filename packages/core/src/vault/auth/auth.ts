import type { VaultAuth } from '../answer.ts'
import type { VaultRequest } from '../client.ts'

/** What a method may use to log in. */
export interface LoginContext {
  /** Sends the login request and gives back the token that Vault made. */
  login(request: VaultRequest): Promise<Login>
  readonly signal: AbortSignal | undefined
}

/** The outcome: a token that Vault made for us, which we give back in the end, or one that the caller has. */
export type Login =
  | { readonly kind: 'issued'; readonly auth: VaultAuth; readonly sentAt: number }
  | { readonly kind: 'given'; readonly token: string }

/** One way to come to a token. Made by `token()`, `tokenFile()` or `appRole()`. */
export interface AuthMethod {
  readonly name: string
  logIn(context: LoginContext): Promise<Login>
}

import { InvalidOptionError } from '../errors.ts'
import type { TimedAnswer } from './answer.ts'
import type { ClientRequest } from './client.ts'
import type { TokenSession } from './session.ts'
import type { Token } from './token.ts'
import type { Vault } from './vault.ts'

/** A request with the session's token. */
export interface SessionRequest extends ClientRequest {
  /** The token should live at least this many milliseconds longer, where a new login can give such a one. */
  readonly outliveMs?: number | undefined
  /** On the clock of the Vault: when the answer is of no use any more. */
  readonly deadline?: number | undefined
  /** Keep the token for the lease in the answer until `session.release()`. Without an answer nothing is kept. */
  readonly holdToken?: true | undefined
}

/** An answer, and the token that it was given to. */
export interface SessionAnswer extends TimedAnswer {
  readonly token: Token
}

/** Known by every copy of this library, as ESM and as CommonJS. */
const brand = Symbol.for('vault-lease.Vault')

/** To be raised with every change of `VaultForLeases`, or of what goes through it. */
const version = 2

/** What leases use of a Vault, be it one of this copy of the library or of another. */
export interface VaultForLeases extends Vault {
  /** The token at hand, and which tokens have leases that die with them. */
  readonly session: Pick<TokenSession, 'facts' | 'release'>
  /**
   * Sends a request with the session's token, logging in when there is none. When the token turns out to be dead, it
   * logs in once more and repeats the request.
   *
   * @throws VaultError
   */
  send(request: SessionRequest): Promise<SessionAnswer>
  /** Extends the life of the session's token. */
  renewToken(signal: AbortSignal): Promise<void>
}

/** Has every copy of the library know the Vaults of this class. */
export function brandVaultClass({ prototype }: { readonly prototype: VaultForLeases }): void {
  Object.defineProperty(prototype, brand, { value: version })
}

/**
 * The Vault that a caller gave, for leases; `undefined` when it is none.
 *
 * @throws InvalidOptionError when it is one of a copy of this library that does not fit this one.
 */
export function vaultBehind(value: unknown): VaultForLeases | undefined {
  const given: unknown = typeof value === 'object' && value ? Reflect.get(value, brand) : undefined
  if (given === undefined) return undefined
  if (given === version) return value as VaultForLeases
  throw new InvalidOptionError(
    'The Vault is one of another version of @vault-lease/core, which does not fit this one. Have one version of it installed (npm ls @vault-lease/core), or give the options of a Vault.',
  )
}

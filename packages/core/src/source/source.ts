import type { Lease } from '../lease/lease.ts'
import type { TokenFacts } from '../vault/session.ts'

/** A user name and password as they came, with the lease that they live by. */
export interface IssuedCredential {
  readonly username: string
  readonly password: string
  readonly lease: Lease
  /** The life of the token that owns the lease, as it is known now. */
  tokenFacts(): TokenFacts | undefined
}

/** Where credentials come from. */
export interface CredentialSource {
  /** For messages: what is read, for example `database/creds/readonly`. */
  readonly description: string
  /** Obtains a new credential, under a token that outlives it where one can be had. */
  fetch(options: { readonly outliveMs: number; readonly signal: AbortSignal }): Promise<IssuedCredential>
  /** Asks for the lease's first duration again. */
  renew(lease: Lease, signal: AbortSignal): Promise<Lease>
  /** Makes the lease end in `ms` from now. */
  shorten(lease: Lease, ms: number, signal: AbortSignal): Promise<void>
  /** Ends the lease and waits until the database user is gone. */
  revoke(issued: IssuedCredential, signal: AbortSignal): Promise<void>
  /** Ends the lease without waiting: Vault drops the user by itself, when the database can be reached. */
  revokeInBackground(issued: IssuedCredential, signal: AbortSignal): Promise<void>
  /** Extends the token under which credentials are fetched. */
  renewToken(signal: AbortSignal): Promise<void>
  /** Gives back what the source itself holds: the token, when it logged in for one. */
  close(): Promise<void>
}

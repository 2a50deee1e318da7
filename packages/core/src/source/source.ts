import type { TokenFacts } from '../vault/token.ts'
import type { Lease } from './lease.ts'

/** A user name and password as they came, with the lease that they live by. */
export interface IssuedCredential {
  readonly username: string
  readonly password: string
  readonly lease: Lease
  /** The life of the token that it was read with, as it is known now. */
  tokenFacts(): TokenFacts | undefined
}

/** What a request may take, and how long its answer is of use. */
export interface RequestTerms {
  readonly signal: AbortSignal
  /** On the manager's clock: when the answer is of no use any more. */
  readonly deadline?: number | undefined
}

/** How a credential is asked for. */
export interface FetchTerms extends RequestTerms {
  /** The token that the credential is read with should live this many milliseconds longer, where such a one can be had. */
  readonly outliveMs: number
  /** Whether a cache that the source has may not answer: what it has would be no help. */
  readonly pastCache: boolean
  /** Ends a lease that the source was given and that nobody is to use, beside what is fetched, whatever becomes of that. */
  discard(lease: Lease): void
}

/** Where credentials come from. */
export interface CredentialSource {
  /** For messages: what is read, for example `database/creds/readonly`. */
  readonly description: string
  /** The state of the circuit breaker before Vault, where there is one. */
  readonly circuit?: 'closed' | 'open' | 'half-open' | undefined
  /** Obtains a credential: a new one, or the one in force again, if that is what the source has. */
  fetch(terms: FetchTerms): Promise<IssuedCredential>
  /** Asks for the lease's first duration again. `gone` when the lease is over, and the user with it. */
  renew(lease: Lease, terms: RequestTerms): Promise<Lease | 'gone'>
  /** Makes the lease end in `ms` from now. One that is gone is no failure. */
  shorten(lease: Lease, ms: number, signal: AbortSignal): Promise<void>
  /** Ends the lease and waits until the database user is gone. One that is gone already is no failure. */
  revoke(lease: Lease, terms: RequestTerms): Promise<void>
  /** Ends the lease without waiting: Vault drops the user by itself, when the database can be reached. */
  revokeInBackground(lease: Lease, terms: RequestTerms): Promise<void>
  /** Extends the token under which credentials are fetched. */
  renewToken(signal: AbortSignal): Promise<void>
  /** Has `onChange` called when there may be another credential. Returns the way to end that. */
  watch?(onChange: () => void): () => void
  /** Gives back what the source itself holds: the token, when it logged in for one. */
  close(): Promise<void>
}

/** The part of a source whose credentials have no lease: there is nothing to renew and nothing to revoke. */
export const withoutLease: Pick<
  CredentialSource,
  'renew' | 'shorten' | 'revoke' | 'revokeInBackground' | 'renewToken' | 'close'
> = {
  renew: async (lease) => lease,
  shorten: async () => {},
  revoke: async () => {},
  revokeInBackground: async () => {},
  renewToken: async () => {},
  close: async () => {},
}

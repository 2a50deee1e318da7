import type { Credential } from './credential.ts'

/** How long the connections of a generation may live on. */
export interface RetireTerms {
  /** Milliseconds on the manager's clock; `signal` is aborted then. */
  readonly deadline: number
  /** Aborted at the deadline, or earlier when the manager closes. */
  readonly signal: AbortSignal
  /** What a connection is closed with that is in use even then: a new error each time, because drivers write into theirs. */
  stragglerError(): Error
}

/** What became of the connections of a retired generation. */
export interface Retired {
  /** Connections closed while nobody used them. */
  readonly closed: number
  /** Connections closed under their holder because the deadline had come. */
  readonly forced: number
  /** Why it is not known that the server has closed them all too, when that is so. */
  readonly failure?: unknown
}

/** What an adapter gives the lease manager: the two steps of a rotation that only a driver can do. */
export interface Consumer {
  /**
   * Opens one connection with the credential and asks the server who it is.
   *
   * @throws CredentialNotProvenError when the database does not accept it.
   */
  prove(credential: Credential, signal: AbortSignal): Promise<void>
  /**
   * Closes idle connections of the generation at once and the others as they are released; at the deadline, all. Also
   * called for a generation that was proven to this consumer and will never be published.
   */
  retire(generation: number, terms: RetireTerms): Promise<Retired>
}

import type { Credential } from './credential.ts'

/** When the connections of a generation are replaced that can still be used, so that not all log in anew together. */
export interface Turns {
  /** When the last one has its turn, in milliseconds on the manager's clock. */
  readonly by: number
  /** Aborted when they can wait for it no longer, and all have to go at once. */
  readonly over: AbortSignal
}

/** How long the connections of a generation may live on. */
export interface RetireTerms {
  /** Absent when none of them may be used any more. */
  readonly turns?: Turns
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

/**
 * - `accepted`: the database has let the user in;
 * - `full`: until the signal was aborted every connection of the pool was in use, so that nobody could be asked.
 */
export type Proof = 'accepted' | 'full'

/** The connections of a pool that belong to one generation. */
export interface GenerationConnections {
  readonly generation: number
  /** Those that are being opened, too. */
  readonly open: number
}

/** How a pool is used at this moment. */
export interface PoolUsage {
  readonly connections: readonly GenerationConnections[]
  /** The rest is absent where instrumentation of the driver tells of the pool already. */
  readonly load?: PoolLoad | undefined
}

/** What only the pool knows of its use. */
export interface PoolLoad {
  /** The most connections that it may have. */
  readonly max: number
  /** Connections that nobody uses. */
  readonly idle: number
  /** Acquires that wait for a connection. */
  readonly waiting: number
}

/**
 * What an adapter gives the lease manager: the two steps of a rotation that only a driver can do. Whatever one consumer does,
 * the others on the lease go on without it.
 */
export interface Consumer {
  /** Where it connects, for status and events, such as `postgresql://db.internal:5432/app`. Holds no secret. */
  readonly place: string
  /**
   * Opens one connection with the credential and asks the server who it is.
   *
   * @throws CredentialNotProvenError when the database does not accept it.
   */
  prove(credential: Credential, signal: AbortSignal): Promise<Proof>
  /** How its pool is used: counted when somebody asks for it, not at a checkout. */
  usage?(): PoolUsage
  /** Told when `attachment.current` is of another generation from now on, or has another password. */
  follow?(credential: Credential): void
  /**
   * Closes idle connections of the generation as their turn comes, or at once, and the others as they are released; at the
   * deadline, all. Also called for a generation that was proven to this consumer and will never be published.
   */
  retire(generation: number, terms: RetireTerms): Promise<Retired>
}

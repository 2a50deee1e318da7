import { brandErrorClass } from './error-brand.ts'
import { plainCause, redact } from './observe/redact.ts'

/** Extra facts of an error, beside its message. */
export interface ErrorFacts {
  readonly cause?: unknown
  readonly retryable?: boolean
  readonly retryAfterMs?: number | undefined
}

/**
 * The base of every error that this library throws.
 *
 * `code` is stable and meant for programs; `message` says what to do next; `cause` keeps only name, message and code of
 * what happened underneath, because errors of HTTP clients and drivers can carry tokens and passwords. `instanceof` holds for
 * the errors of every copy of this library, as ESM and as CommonJS.
 */
export abstract class VaultLeaseError extends Error {
  static {
    brandErrorClass(VaultLeaseError, 'VaultLeaseError')
  }

  /** A stable identifier of the kind of failure. */
  abstract readonly code: string
  /** Whether the same call can succeed later without a change of configuration. */
  readonly retryable: boolean
  /** How long whoever failed asked to wait, in milliseconds. */
  readonly retryAfterMs: number | undefined

  constructor(message: string, facts: ErrorFacts = {}) {
    super(redact(message), facts.cause === undefined ? undefined : { cause: plainCause(facts.cause) })
    // As every error has it: not among the properties that who wraps an error copies.
    Object.defineProperty(this, 'name', { value: new.target.name, configurable: true, writable: true })
    this.retryable = facts.retryable ?? false
    this.retryAfterMs = facts.retryAfterMs
  }
}

/** An option, an environment variable or a combination of them makes no sense. Nothing was started. */
export class InvalidOptionError extends VaultLeaseError {
  static {
    brandErrorClass(InvalidOptionError, 'InvalidOptionError')
  }

  readonly code = 'ERR_INVALID_OPTION'
}

/**
 * There is no credential that may be used now: none was obtained yet, or the last one died while Vault could not give
 * another. The manager keeps trying by itself: `nextAttemptInMs` says when it will try next.
 */
export class CredentialsUnavailableError extends VaultLeaseError {
  static {
    brandErrorClass(CredentialsUnavailableError, 'CredentialsUnavailableError')
  }

  readonly code = 'ERR_CREDENTIALS_UNAVAILABLE'
  /** Milliseconds until the next attempt; `undefined` while one is running. */
  readonly nextAttemptInMs: number | undefined

  constructor(message: string, facts: ErrorFacts & { readonly nextAttemptInMs?: number | undefined } = {}) {
    super(message, { retryable: true, ...facts })
    this.nextAttemptInMs = facts.nextAttemptInMs
  }
}

/** The lease manager, or the pool that owns it, was closed. */
export class LeaseClosedError extends VaultLeaseError {
  static {
    brandErrorClass(LeaseClosedError, 'LeaseClosedError')
  }

  readonly code = 'ERR_LEASE_CLOSED'
}

/** Whatever gives the credential has none that can be used, or does not answer. */
export class CredentialSourceError extends VaultLeaseError {
  static {
    brandErrorClass(CredentialSourceError, 'CredentialSourceError')
  }

  readonly code = 'ERR_CREDENTIAL_SOURCE'

  constructor(message: string, facts: ErrorFacts = {}) {
    super(message, { retryable: true, ...facts })
  }
}

/** Vault gave a credential, but the database did not accept it. The previous one stays in force while it lives. */
export class CredentialNotProvenError extends VaultLeaseError {
  static {
    brandErrorClass(CredentialNotProvenError, 'CredentialNotProvenError')
  }

  readonly code = 'ERR_CREDENTIAL_NOT_PROVEN'
  /** The database answered and refused the user, as opposed to not answering. */
  readonly refused: boolean

  constructor(message: string, facts: ErrorFacts & { readonly refused: boolean }) {
    super(message, { retryable: true, ...facts })
    this.refused = facts.refused
  }
}

/** A connection was still in use when its database user had to go, so it was closed under its holder. */
export class ConnectionRetiredError extends VaultLeaseError {
  static {
    brandErrorClass(ConnectionRetiredError, 'ConnectionRetiredError')
  }

  readonly code = 'ERR_CONNECTION_RETIRED'
}

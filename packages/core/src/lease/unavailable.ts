import { CredentialNotProvenError, CredentialsUnavailableError } from '../errors.ts'

interface Absence {
  /** Where the credential should have come from. */
  readonly source: string
  /** In place of the bare fact. */
  readonly why?: string | undefined
  /** What made the last attempt fail. */
  readonly cause: Error | undefined
  /** Undefined while an attempt is under way, or none will come. */
  readonly nextAttemptInMs: number | undefined
}

/** That no credential can be had, why, and when it is tried next. */
export function unavailable({ source, why, cause, nextAttemptInMs }: Absence): CredentialsUnavailableError {
  const because = cause ? ` ${cause.message}` : ''
  const retry = nextAttemptInMs === undefined ? '' : ` The next attempt is due in ${nextAttemptInMs} ms.`
  return new CredentialsUnavailableError(
    `${why ?? `No usable database credential from ${source}.`}${because}${retry}`,
    { cause, nextAttemptInMs },
  )
}

/** That whoever gives the credential did not answer an attempt. */
export function sourceGaveNoAnswer(attempted: string, limitMs: number): CredentialsUnavailableError {
  return new CredentialsUnavailableError(
    `No answer came to the attempt to ${attempted} within ${Math.round(limitMs)} ms. Check whether Vault, or what else gives the credential, hangs.`,
  )
}

/** That a database said neither yes nor no to a user. */
export function databaseGaveNoAnswer(place: string, limitMs: number): CredentialNotProvenError {
  return new CredentialNotProvenError(
    `The database at ${place} had not answered ${Math.round(limitMs)} ms after a credential was asked for. Check whether it hangs.`,
    { refused: false },
  )
}

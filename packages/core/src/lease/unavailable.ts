import { CredentialNotProvenError, CredentialsUnavailableError } from '../errors.ts'
import type { LeaseStep } from '../observe/events.ts'
import { plainCause } from '../observe/redact.ts'
import type { Attempt } from './attempts.ts'

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

/** That an attempt was given up, and on whom it waited. */
export function gaveUp(
  attempted: Attempt['do'],
  limitMs: number,
  waitedFor: 'source' | 'database',
): CredentialsUnavailableError {
  return new CredentialsUnavailableError(
    waitedFor === 'database'
      ? `The database had not answered ${limitMs} ms after a credential was asked for. Check whether it hangs.`
      : `No answer came to the attempt to ${attempted} within ${limitMs} ms. Check whether Vault, or what else gives the credential, hangs.`,
  )
}

/** An error of somebody else, as the failure of a step. */
export function stepFailed(step: LeaseStep, cause: unknown): CredentialsUnavailableError {
  return new CredentialsUnavailableError(`The step "${step}" failed: ${plainCause(cause).message}`, { cause })
}

/** At which step an attempt failed. */
export function stepOf(attempted: Attempt['do'], error: unknown): LeaseStep {
  if (attempted === 'renew' || attempted === 'renew-token') return attempted
  return error instanceof CredentialNotProvenError ? 'prove' : 'fetch'
}

import {
  CredentialNotProvenError,
  CredentialSourceError,
  CredentialsUnavailableError,
  InvalidOptionError,
  VaultError,
} from '@vault-lease/core'
import { CommanderError } from 'commander'
import { DatabaseError } from './database/database-error.ts'
import { HealthEndpointError } from './health/health-endpoint.ts'
import { PgBouncerError } from './pgbouncer/pgbouncer-error.ts'
import { Interrupted } from './signals.ts'

/** What the command exits with. `exec` and its short forms exit with what their program exits with, once it runs. */
export const exitCodes = {
  done: 0,
  /** What was looked for is there: trouble, orphans, a difference, a process that is not ready. */
  found: 1,
  /** A wrong option, variable or file. */
  usage: 2,
  /** Vault cannot be reached, or refuses. */
  vault: 3,
  /** The database, or PgBouncer before it, cannot be reached, or refuses. */
  database: 4,
  /** Something else, that should not be. */
  software: 70,
  cannotExecute: 126,
  notFound: 127,
} as const

const ofDatabase = [CredentialNotProvenError, DatabaseError, PgBouncerError] as const

/** Of what was thrown. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.done : exitCodes.usage
  if (error instanceof Interrupted) return error.exitCode
  if (error instanceof InvalidOptionError) return exitCodes.usage
  if (error instanceof HealthEndpointError) return exitCodes.found
  if (ofDatabase.some((kind) => error instanceof kind)) return exitCodes.database
  if (error instanceof CredentialsUnavailableError)
    return codeOf(error.cause) === 'ERR_CREDENTIAL_NOT_PROVEN' ? exitCodes.database : exitCodes.vault
  if (error instanceof VaultError || error instanceof CredentialSourceError) return exitCodes.vault
  return exitCodes.software
}

/** A cause keeps no class. */
function codeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined
}

import { CredentialNotProvenError } from '../errors.ts'
import type { Credential } from '../lease/credential.ts'

/** What `prove()` throws after an error of the driver. */
export function notProven(
  { username }: Credential,
  error: unknown,
  refused: boolean,
): CredentialNotProvenError {
  const message = error instanceof Error ? error.message : String(error)
  const what = refused
    ? `The database did not accept the user "${username}" that Vault created: ${message}. ` +
      'Check that Vault and the application reach the same database, and the creation_statements of the role.'
    : `The user "${username}" that Vault created could not be tried at the database: ${message}. ` +
      'Check that the database is up and has connections to spare, and the host, port and database of the pool.'
  return new CredentialNotProvenError(what, { cause: error, refused })
}

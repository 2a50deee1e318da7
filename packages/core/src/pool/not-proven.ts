import { CredentialNotProvenError } from '../errors.ts'
import type { Credential } from '../lease/credential.ts'

/** What `prove()` throws after an error of the driver. */
export function notProven(
  { username }: Credential,
  error: unknown,
  refused: boolean,
): CredentialNotProvenError {
  const said = (error instanceof Error ? error.message : String(error)).replace(/\.$/, '')
  const what = refused
    ? `The database did not accept the user "${username}": ${said}. ` +
      'Check that whoever made the user and the application reach the same database, and the creation_statements of a dynamic role.'
    : `The user "${username}" could not be tried at the database: ${said}. ` +
      'Check that the database is up and has connections to spare, and the host, port and database of the pool.'
  return new CredentialNotProvenError(what, { cause: error, refused })
}

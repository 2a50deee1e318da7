import { CredentialNotProvenError } from '../errors.ts'
import type { Credential } from '../lease/credential.ts'
import { messageOf } from '../observe/redact.ts'

/** What `prove()` throws after an error of the driver. */
export function notProven(
  { username }: Credential,
  place: string,
  error: unknown,
  how: 'refused' | 'unreachable',
): CredentialNotProvenError {
  const said = messageOf(error).replace(/\.$/, '')
  const what =
    how === 'refused'
      ? `The database at ${place} did not accept the user "${username}": ${said}. ` +
        'Check that whoever made the user and the application reach the same database, and the creation_statements of a dynamic role.'
      : `The user "${username}" could not be tried at the database at ${place}: ${said}. ` +
        'Check that the database is up and has connections to spare, and the host, port and database of the pool.'
  return new CredentialNotProvenError(what, { cause: error, refused: how === 'refused' })
}

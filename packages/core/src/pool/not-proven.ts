import { CredentialNotProvenError } from '../errors.ts'
import type { Credential } from '../lease/credential.ts'

/** What `prove()` throws after an error of the driver. */
export function notProven(
  { username }: Credential,
  error: unknown,
  refused: boolean,
): CredentialNotProvenError {
  const message = error instanceof Error ? error.message : String(error)
  return new CredentialNotProvenError(
    `The database did not accept the user "${username}" that Vault created: ${message}. ` +
      'Check that Vault and the application reach the same database, and the creation_statements of the role.',
    { cause: error, refused },
  )
}

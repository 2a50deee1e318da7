import { CredentialsUnavailableError, VaultLeaseError } from '@vault-lease/core'
import { exitCodeOf, exitCodes } from '../exit-codes.ts'
import { codesOf } from './error-codes.ts'
import type { Change } from './plan.ts'

/** What is told of a change that failed, and the exit code. What should not be is thrown. */
export function failureOf(
  file: string,
  { wanted: { kind, path, at } }: Change,
  error: unknown,
): { readonly text: string; readonly code: number } {
  if (!(error instanceof VaultLeaseError)) throw error
  // What Vault said is why there is no credential.
  const reason = error instanceof CredentialsUnavailableError ? error.cause : undefined
  const why = reason instanceof Error ? reason.message : error.message
  const ofDatabase = codesOf(error).includes('ERR_VAULT_DATABASE') || why.includes('verifying connection')
  const isOfProof = kind === 'role' && (ofDatabase || reason !== undefined)
  return {
    text: `${file}:${at.line}:${at.column}: ${kind} ${path}: ${why}${isOfProof ? ' The role was taken back.' : hintOn(kind, why)}`,
    code: ofDatabase ? exitCodes.database : exitCodeOf(error),
  }
}

function hintOn(kind: string, why: string): string {
  if (kind === 'audit device' && why.includes('declarative'))
    return ' OpenBao takes audit devices from the configuration of the server: write it there, as audit "<type>" "<path>" { options { … } }.'
  return ''
}

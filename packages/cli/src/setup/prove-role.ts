import { createLease, type VaultLeaseError } from '@vault-lease/core'
import { attachOnce } from '../creds/one-time.ts'
import { leaseOptionsOf } from '../lease-flags.ts'
import { tell } from '../terminal.ts'
import type { VaultFlags } from '../vault/vault-flags.ts'
import { codesOf } from './error-codes.ts'

interface Role {
  readonly mount: string
  readonly name: string
}

/**
 * Has a role give a credential, and ends its lease: only then the database has seen the statements that make a user, and those
 * that drop it. Who may write roles need not be who may
 * read credentials: that is told.
 *
 * @throws VaultLeaseError when it does not.
 */
export async function proveRole(flags: VaultFlags, role: Role): Promise<void> {
  try {
    await issueAndRevoke(flags, role)
  } catch (error) {
    if (!codesOf(error).includes('ERR_VAULT_PERMISSION_DENIED')) throw error
    tell(
      `${role.mount}/creds/${role.name} was not tried to its end: no policy lets the token read it, or revoke its lease.`,
    )
  }
}

async function issueAndRevoke(flags: VaultFlags, { mount, name }: Role): Promise<void> {
  const lease = createLease(leaseOptionsOf({ ...flags, mount, role: name }))
  let notRevoked: VaultLeaseError | undefined
  lease.on('failed', ({ step, error }) => {
    if (step === 'revoke') notRevoked = error
  })
  try {
    await attachOnce(lease, undefined).credential()
  } finally {
    await lease.close()
  }
  if (notRevoked) throw notRevoked
}

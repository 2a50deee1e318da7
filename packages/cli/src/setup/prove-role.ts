import { createLease, type VaultLeaseError } from '@vault-lease/core'
import { attachOnce } from '../creds/one-time.ts'
import { leaseOptionsOf } from '../lease-flags.ts'
import type { VaultFlags } from '../vault/vault-flags.ts'

/**
 * Has a role give a credential, and ends its lease: only then the database has seen the statements that make a user, and those
 * that drop it.
 *
 * @throws VaultLeaseError when it does not.
 */
export async function proveRole(
  flags: VaultFlags,
  { mount, name }: { readonly mount: string; readonly name: string },
): Promise<void> {
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

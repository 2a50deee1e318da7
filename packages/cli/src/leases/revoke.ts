import { VaultError } from '@vault-lease/core'
import { apiPath } from '@vault-lease/core/adapter'
import type { VaultApi } from '../vault/vault-api.ts'
import { sideBySide } from './side-by-side.ts'

/** What came of one lease; `error` when Vault could not end it. */
export interface Revoked {
  readonly id: string
  readonly error: VaultError | undefined
}

/** Ends leases, and waits until their users are gone. Those that cannot be ended are told, and the others go on. */
export async function revokeAll(vault: VaultApi, ids: readonly string[]): Promise<readonly Revoked[]> {
  return await revokeEach(ids, (id) => vault.write('sys/leases/revoke', { lease_id: id, sync: true }))
}

/** Has Vault forget leases, whatever becomes of their users. */
export async function forgetAll(vault: VaultApi, ids: readonly string[]): Promise<readonly Revoked[]> {
  return await revokeEach(ids, (id) => vault.write(`sys/leases/revoke-force/${apiPath(id)}`))
}

async function revokeEach(
  ids: readonly string[],
  revoke: (id: string) => Promise<unknown>,
): Promise<readonly Revoked[]> {
  return await sideBySide(ids, async (id) => {
    try {
      await revoke(id)
      return { id, error: undefined }
    } catch (error) {
      if (!(error instanceof VaultError)) throw error
      return { id, error }
    }
  })
}

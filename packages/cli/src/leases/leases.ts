import { VaultError } from '@vault-lease/core'
import { apiPath } from '@vault-lease/core/adapter'
import type { VaultApi } from '../vault/vault-api.ts'
import { sideBySide } from './side-by-side.ts'

/** A role of a database secrets engine. */
export interface RoleAt {
  readonly mount: string
  readonly role: string
}

/** A lease that Vault has. Dates are in milliseconds since 1970, by Vault's clock. */
export interface Lease extends RoleAt {
  readonly id: string
  readonly issuedAt: number
  readonly expiresAt: number
  /** How far Vault's clock is ahead of ours, to a second; negative when it is behind. */
  readonly clockAheadMs: number
}

/** The ids of the leases of a role. The token needs `list` and `sudo` on sys/leases/lookup/*. */
export async function leaseIds(vault: VaultApi, { mount, role }: RoleAt): Promise<readonly string[]> {
  const prefix = `${mount}/creds/${role}`
  const keys = await vault.list(`sys/leases/lookup/${apiPath(prefix)}`)
  return keys.map((key) => `${prefix}/${key}`)
}

/** The leases of a role, the oldest first. */
export async function leasesOf(vault: VaultApi, at: RoleAt): Promise<readonly Lease[]> {
  return await lookUp(vault, at, await leaseIds(vault, at))
}

/** The leases with these ids that are still there, the oldest first. The token needs `update` on sys/leases/lookup. */
export async function lookUp(
  vault: VaultApi,
  { mount, role }: RoleAt,
  ids: readonly string[],
): Promise<readonly Lease[]> {
  const leases = await sideBySide(ids, async (id) => {
    const data = await dataOf(vault, id)
    if (!data) return []
    const date = (name: string): number => Date.parse(String(data[name]))
    const expiresAt = date('expire_time')
    const clockAheadMs = expiresAt - Number(data['ttl']) * 1_000 - Date.now()
    return [{ mount, role, id, issuedAt: date('issue_time'), expiresAt, clockAheadMs }]
  })
  return leases.flat().sort((a, b) => a.issuedAt - b.issuedAt)
}

/** `undefined` when the lease is gone. */
async function dataOf(vault: VaultApi, id: string): Promise<Readonly<Record<string, unknown>> | undefined> {
  try {
    return (await vault.write('sys/leases/lookup', { lease_id: id })).data
  } catch (error) {
    if (error instanceof VaultError && error.messages.some((text) => text.includes('invalid lease')))
      return undefined
    throw error
  }
}

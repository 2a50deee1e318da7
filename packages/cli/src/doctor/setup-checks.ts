import { apiPath } from '@vault-lease/core/adapter'
import type { VaultApi } from '../vault/vault-api.ts'
import { capabilitiesOf } from './capabilities.ts'
import type { Examination } from './examination.ts'
import { failed, ok, skipped } from './finding.ts'
import { links } from './links.ts'

const group = 'Setting up'

/** What `vault-lease setup` does at least. */
function needsOf(mount: string): Readonly<Record<string, string>> {
  return {
    engine: apiPath('sys', 'mounts', mount),
    connections: apiPath(mount, 'config', 'doctor'),
    roles: apiPath(mount, 'roles', 'doctor'),
    policies: apiPath('sys', 'policies', 'acl', 'doctor'),
  }
}

/** Whether the token may set up what applications need. Asks Vault, and does none of it. */
export async function checkSetup(examination: Examination, vault: VaultApi, mount: string): Promise<void> {
  const needs = needsOf(mount)
  const allowed = await capabilitiesOf(vault, Object.values(needs))
  for (const [check, path] of Object.entries(needs)) {
    const capabilities = allowed?.[path] ?? []
    const may = ['root', 'create', 'update'].some((name) => capabilities.includes(name))
    const finding = may
      ? ok(`may write ${path}`)
      : failed(
          `may not write ${path}`,
          'Use the token of an operator, or have one run vault-lease setup.',
          links.policies,
        )
    examination.note(group, check, allowed ? finding : skipped('no policy lets the token ask what it may do'))
  }
}

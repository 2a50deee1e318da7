import type { Database } from '../database/database.ts'
import { openVault, openVaultWithoutToken } from '../vault/vault-api.ts'
import type { VaultFlags } from '../vault/vault-flags.ts'
import { checkCredential } from './credential-checks.ts'
import type { Load } from './databases/examined.ts'
import type { Examination } from './examination.ts'
import type { Origin } from './origin.ts'
import { checkPolicy } from './policy-checks.ts'
import { checkRole } from './role-checks.ts'
import { checkSetup } from './setup-checks.ts'
import { checkToken } from './token-checks.ts'
import { checkVault } from './vault-checks.ts'

/** What is looked at. */
export interface Patient {
  readonly flags: VaultFlags
  readonly origin: Origin
  readonly database: Database | undefined
  readonly load: Load
  readonly drainMs: number
}

/** Everything that stands between an application and its database, in order. What stands on something that failed is left out. */
export async function examine(examination: Examination, patient: Patient): Promise<void> {
  const { flags, origin, database, load, drainMs } = patient
  if (!(await isVaultThere(examination))) return
  await using vault = openVault(flags)
  const logsIn = flags.auth !== undefined
  const token = await checkToken(examination, vault, logsIn)
  if (!token) return
  if (!(await checkPolicy(examination, vault, origin, logsIn))) return
  if (!(await checkRole(examination, vault, origin, { token, logsIn, drainMs }))) return
  await checkCredential(examination, vault, origin, database, load)
}

/** Before anything is set up: whether Vault is there, and whether the token may. */
export async function examineBefore(
  examination: Examination,
  flags: VaultFlags,
  mount: string,
): Promise<void> {
  if (!(await isVaultThere(examination))) return
  await using vault = openVault(flags)
  if (await checkToken(examination, vault, flags.auth !== undefined))
    await checkSetup(examination, vault, mount)
}

async function isVaultThere(examination: Examination): Promise<boolean> {
  await using vault = openVaultWithoutToken()
  return await checkVault(examination, vault)
}

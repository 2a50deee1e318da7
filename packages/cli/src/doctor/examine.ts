import { InvalidOptionError, VaultError } from '@vault-lease/core'
import type { Database } from '../database/database.ts'
import { openVault, openVaultWithoutToken, type Patience, type VaultApi } from '../vault/vault-api.ts'
import { authOf, type VaultFlags } from '../vault/vault-flags.ts'
import { checkCredential } from './credential-checks.ts'
import type { Load } from './databases/examined.ts'
import type { Examination } from './examination.ts'
import { failed } from './finding.ts'
import { links } from './links.ts'
import type { Origin } from './origin.ts'
import { checkPolicy } from './policy-checks.ts'
import { checkRole } from './role-checks.ts'
import { checkSetup } from './setup-checks.ts'
import { checkToken, loginHint, type TokenLife } from './token-checks.ts'
import { checkVault } from './vault-checks.ts'

/** What is looked at. */
export interface Patient {
  readonly flags: VaultFlags
  readonly origin: Origin
  readonly database: Database | undefined
  readonly load: Load
  readonly drainMs: number
}

/** A look is over soon, and a credential is asked for once: of one whose answer is late nobody has the lease. */
function patience(): Patience {
  return { maxRetries: 0, ...(!process.env['VAULT_CLIENT_TIMEOUT'] && { timeoutMs: 10_000 }) }
}

const vaultHint = 'It was there a moment ago: look at its log, and run this again.'

/**
 * Everything that stands between an application and its database, in order. What stands on something that failed is left out.
 *
 * @throws InvalidOptionError when options or variables are wrong.
 */
export async function examine(examination: Examination, patient: Patient): Promise<void> {
  const { flags, origin, database, load, drainMs } = patient
  await throughVault(examination, flags, async (vault, token, logsIn) => {
    if (!(await checkPolicy(examination, vault, origin, logsIn))) return
    if (!(await checkRole(examination, vault, origin, { token, logsIn, drainMs }))) return
    await checkCredential(examination, vault, origin, database, load)
  })
}

/**
 * Before anything is set up: whether Vault is there, and whether the token may.
 *
 * @throws InvalidOptionError when options or variables are wrong.
 */
export async function examineBefore(
  examination: Examination,
  flags: VaultFlags,
  mount: string,
): Promise<void> {
  await throughVault(examination, flags, (vault) => checkSetup(examination, vault, mount))
}

type Look = (vault: VaultApi, token: TokenLife, logsIn: boolean) => Promise<void>

/** Looks at Vault and the token, and then at what stands on them. */
async function throughVault(examination: Examination, flags: VaultFlags, look: Look): Promise<void> {
  const auth = authOf(flags)
  const logsIn = auth !== undefined
  try {
    if (!(await isVaultThere(examination))) return
    await using vault = withToken(examination, flags)
    if (!vault) return
    const token = await checkToken(examination, vault, logsIn)
    if (token) await look(vault, token, logsIn)
  } catch (error) {
    if (!(error instanceof VaultError)) throw error
    examination.note('Vault', 'answers', failed(error.message, vaultHint, links.address))
  }
}

/** Whatever else could be wrong with the variables has been seen by then. */
function withToken(examination: Examination, flags: VaultFlags): VaultApi | undefined {
  try {
    return openVault(flags, patience())
  } catch (error) {
    if (!(error instanceof InvalidOptionError)) throw error
    const found = process.env['VAULT_TOKEN'] ? error.message : 'there is no token, and no --auth'
    examination.note('Authentication', 'login', failed(found, loginHint(false), links.tokens))
    return undefined
  }
}

async function isVaultThere(examination: Examination): Promise<boolean> {
  await using vault = openVaultWithoutToken(patience())
  return await checkVault(examination, vault)
}

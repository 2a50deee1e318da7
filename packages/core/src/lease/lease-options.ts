import * as z from 'zod/mini'
import { InvalidOptionError } from '../errors.ts'
import { checkOptions } from '../options/check-options.ts'
import type { CredentialFunction } from '../source/credential-function.ts'
import { checkMountPath, checkRoleName } from '../vault/path.ts'
import type { Vault } from '../vault/vault.ts'
import { vaultBehind } from '../vault/vault-for-leases.ts'
import { checkVaultOptions, type VaultOptions } from '../vault/vault-options.ts'

/** How generations follow one another. */
export interface RotationOptions {
  /**
   * Milliseconds that connections of an old generation have to finish, at most, from when it is their turn to be replaced;
   * the end of their lease comes first. Their turns are spread over a quarter of what the lease has left, and not over more
   * than this time.
   * Default: 300,000 (5 minutes).
   */
  readonly drainTimeoutMs?: number | undefined
}

interface CommonOptions {
  /** Where the database secrets engine is mounted. Default: VAULT_DB_MOUNT, else `database`. */
  readonly mount?: string | undefined
  /** A Vault that the caller made and closes, or the options of one. Default: the VAULT_* variables. */
  readonly vault?: Vault | VaultOptions | undefined
  readonly rotation?: RotationOptions | undefined
  /**
   * Whether to share one lease, and one database user, with whoever in this process asks for the same role, of the same
   * Vault, with the same login, or gives the same function. Default: true.
   */
  readonly shared?: boolean | undefined
}

interface FromRole extends Without<'staticRole' | 'credentialFile' | 'credential'> {
  /** The role of the database secrets engine. Default: the environment variable VAULT_DB_ROLE. */
  readonly role?: string | undefined
}

interface FromStaticRole extends Without<'role' | 'credentialFile' | 'credential'> {
  /** A static role of the database secrets engine: one user, whose password Vault changes from time to time. */
  readonly staticRole?: string | undefined
}

interface FromFile extends Without<'role' | 'staticRole' | 'credential'> {
  /**
   * The path of a file that Vault Agent, the Agent Injector or the CSI provider renders: JSON, or lines such as
   * `export DB_USERNAME="…"`. Watched; Vault itself is not asked.
   */
  readonly credentialFile?: string | undefined
}

interface FromFunction extends Without<'role' | 'staticRole' | 'credentialFile'> {
  /** A function that gives the credential, such as the IAM token of a cloud. Vault is not asked. */
  readonly credential?: CredentialFunction | undefined
}

type Without<Key extends string> = { readonly [Name in Key]?: undefined }

/** Where a lease comes from: one of `role`, `staticRole`, `credentialFile` and `credential`. */
export type LeaseOptions = CommonOptions & (FromRole | FromStaticRole | FromFile | FromFunction)

/** Where the credential comes from. */
export type Origin =
  | { readonly kind: 'role' | 'staticRole'; readonly name: string; readonly mount: string }
  | { readonly kind: 'credentialFile'; readonly path: string }
  | { readonly kind: 'credential'; readonly give: CredentialFunction }

const origins = ['role', 'staticRole', 'credentialFile', 'credential'] as const
const ofVault = ['vault', 'mount'] as const

const rotationSchema = z.strictObject({
  drainTimeoutMs: z.optional(z.number().check(z.nonnegative())),
})

const leaseSchema = z.strictObject({
  role: z.optional(z.string()),
  staticRole: z.optional(z.string()),
  mount: z.optional(z.string()),
  vault: z.optional(z.any()),
  credentialFile: z.optional(z.string().check(z.minLength(1))),
  credential: z.optional(
    z.custom<CredentialFunction>((value) => typeof value === 'function', 'a function is needed'),
  ),
  rotation: z.optional(z.any()),
  shared: z.optional(z.boolean()),
})

/** Checks everything that can be known to be wrong before anything is sent, and fills in from the environment. */
export function checkLeaseOptions(options: LeaseOptions, env: NodeJS.ProcessEnv): Origin {
  checkOptions('The lease options', leaseSchema, options)
  checkOptions('The rotation options', rotationSchema, options.rotation ?? {})
  if (options.vault !== undefined && !vaultBehind(options.vault)) checkVaultOptions(options.vault)
  const [given, another] = origins.filter((name) => options[name] !== undefined)
  if (another) throw new InvalidOptionError(`Give either "${given}" or "${another}": a lease has one source.`)
  const { credentialFile, credential } = options
  if (credentialFile === undefined && credential === undefined) return roleOf(options, env)
  const idle = ofVault.find((name) => options[name] !== undefined)
  if (idle) throw new InvalidOptionError(`"${idle}" has no use beside "${given}": Vault is not asked then.`)
  if (credential) return { kind: 'credential', give: credential }
  return { kind: 'credentialFile', path: credentialFile ?? '' }
}

function roleOf(options: LeaseOptions, env: NodeJS.ProcessEnv): Origin {
  const kind = options.staticRole === undefined ? 'role' : 'staticRole'
  const name = options.staticRole ?? options.role ?? env['VAULT_DB_ROLE']
  const mount = options.mount ?? env['VAULT_DB_MOUNT'] ?? 'database'
  if (!name) {
    throw new InvalidOptionError(
      'Which database role? Set the option "role", or the environment variable VAULT_DB_ROLE.',
    )
  }
  checkRoleName(name)
  checkMountPath(mount)
  return { kind, name, mount }
}

import * as z from 'zod/mini'
import { InvalidOptionError } from '../errors.ts'
import { checkOptions } from '../options.ts'
import { type Clock, systemClock } from '../resilience/clock.ts'
import { dynamicRole } from '../source/dynamic-role.ts'
import { checkMountPath, checkRoleName } from '../vault/path.ts'
import { checkVaultOptions, createVaultOn, Vault, type VaultOptions } from '../vault/vault.ts'
import { LeaseManager } from './manager.ts'

/** How generations follow one another. */
export interface RotationOptions {
  /**
   * Milliseconds that connections of an old generation have to finish, at most; the end of their lease comes first.
   * Default: 300,000 (5 minutes).
   */
  readonly drainTimeoutMs?: number | undefined
}

/** Where a lease comes from. */
export interface LeaseOptions {
  /** The role of the database secrets engine. Default: the environment variable VAULT_DB_ROLE. */
  readonly role?: string | undefined
  /** Where the database secrets engine is mounted. Default: VAULT_DB_MOUNT, else `database`. */
  readonly mount?: string | undefined
  /** A Vault that the caller made and closes, or the options of one. Default: the VAULT_* variables. */
  readonly vault?: Vault | VaultOptions | undefined
  readonly rotation?: RotationOptions | undefined
}

const defaultDrainTimeoutMs = 300_000

const rotationSchema = z.strictObject({
  drainTimeoutMs: z.optional(z.number().check(z.nonnegative())),
})

const leaseSchema = z.strictObject({
  role: z.optional(z.string()),
  mount: z.optional(z.string()),
  vault: z.optional(z.any()),
  rotation: z.optional(z.any()),
})

/**
 * Makes the manager of one database lease. Nothing is sent before the first `ready()`, `credential()` or `rotate()`.
 *
 * @example
 * const lease = createLease({ role: 'readonly' })
 * const { username, password } = await lease.credential()
 * await lease.close()
 *
 * @throws InvalidOptionError for an unknown option, a missing role, or a name that cannot be one.
 */
export function createLease(options: LeaseOptions = {}): LeaseManager {
  return createLeaseOn(options, { clock: systemClock, env: process.env, random: Math.random })
}

/** What the outside world is to a lease. Tests bring their own. */
export interface Surroundings {
  readonly clock: Clock
  readonly env: NodeJS.ProcessEnv
  readonly random: () => number
}

export function createLeaseOn(options: LeaseOptions, { clock, env, random }: Surroundings): LeaseManager {
  const { role, mount } = checkLeaseOptions(options, env)
  const { vault: given } = options
  const vault = given instanceof Vault ? given : createVaultOn(given ?? {}, { clock, env })
  return new LeaseManager({
    source: dynamicRole({ vault, mount, role, ownsVault: vault !== given }),
    clock,
    random,
    drainTimeoutMs: options.rotation?.drainTimeoutMs ?? defaultDrainTimeoutMs,
  })
}

/** Checks everything that can be known to be wrong before anything is sent, and fills in from the environment. */
export function checkLeaseOptions(
  options: LeaseOptions,
  env: NodeJS.ProcessEnv,
): { readonly role: string; readonly mount: string } {
  checkOptions('The lease options', leaseSchema, options)
  checkOptions('The rotation options', rotationSchema, options.rotation ?? {})
  if (options.vault !== undefined && !(options.vault instanceof Vault)) checkVaultOptions(options.vault)
  const role = options.role ?? env['VAULT_DB_ROLE']
  const mount = options.mount ?? env['VAULT_DB_MOUNT'] ?? 'database'
  if (!role) {
    throw new InvalidOptionError(
      'Which database role? Set the option "role", or the environment variable VAULT_DB_ROLE.',
    )
  }
  checkRoleName(role)
  checkMountPath(mount)
  return { role, mount }
}

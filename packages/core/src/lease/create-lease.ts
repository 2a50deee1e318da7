import { type Clock, systemClock } from '../resilience/clock.ts'
import { credentialFile } from '../source/credential-file.ts'
import { type CredentialFunction, credentialFunction } from '../source/credential-function.ts'
import { dynamicRole } from '../source/dynamic-role.ts'
import type { CredentialSource } from '../source/source.ts'
import { staticRole } from '../source/static-role.ts'
import type { VaultRole } from '../source/vault-role.ts'
import { createVaultOn } from '../vault/create-vault.ts'
import { identityOfInstance, identityOfVault } from '../vault/identity-of-vault.ts'
import { Vault } from '../vault/vault.ts'
import { readVaultConfig } from '../vault/vault-config.ts'
import type { VaultOptions } from '../vault/vault-options.ts'
import { checkLeaseOptions, type Origin } from './lease-options.ts'
import { LeaseManager } from './manager.ts'
import { SharedEngine } from './shared-engine.ts'
import { Shares } from './shares.ts'

/** How generations follow one another. */
export interface RotationOptions {
  /**
   * Milliseconds that connections of an old generation have to finish, at most; the end of their lease comes first.
   * Default: 300,000 (5 minutes).
   */
  readonly drainTimeoutMs?: number | undefined
}

/** Where a lease comes from: `role`, `staticRole`, `credentialFile` or `credential`. */
export interface LeaseOptions {
  /** The role of the database secrets engine. Default: the environment variable VAULT_DB_ROLE. */
  readonly role?: string | undefined
  /** A static role of the database secrets engine: one user, whose password Vault changes from time to time. */
  readonly staticRole?: string | undefined
  /** Where the database secrets engine is mounted. Default: VAULT_DB_MOUNT, else `database`. */
  readonly mount?: string | undefined
  /** A Vault that the caller made and closes, or the options of one. Default: the VAULT_* variables. */
  readonly vault?: Vault | VaultOptions | undefined
  /**
   * The path of a file that Vault Agent, the Agent Injector or the CSI provider renders: JSON, or lines such as
   * `export DB_USERNAME="…"`. Watched; Vault itself is not asked.
   */
  readonly credentialFile?: string | undefined
  /** A function that gives the credential, such as the IAM token of a cloud. Vault is not asked. */
  readonly credential?: CredentialFunction | undefined
  readonly rotation?: RotationOptions | undefined
  /**
   * Whether to share one lease, and one database user, with whoever in this process asks for the same role, of the same
   * Vault, with the same login. Default: true.
   */
  readonly shared?: boolean | undefined
}

const defaultDrainTimeoutMs = 300_000

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
  return createLeaseOn(options, { clock: systemClock, env: process.env, random: Math.random, shared })
}

/** What leases have together. */
interface Shared {
  readonly engines: Shares<SharedEngine>
  readonly vaults: Shares<Vault>
}

const newShared = (): Shared => ({ engines: new Shares(), vaults: new Shares() })

/** What all leases of this process have together. */
const shared = newShared()

/** What the outside world is to a lease. Tests bring their own. */
export interface Surroundings {
  readonly clock: Clock
  readonly env: NodeJS.ProcessEnv
  readonly random: () => number
  /** Without it nothing is shared. */
  readonly shared?: Shared
}

export function createLeaseOn(options: LeaseOptions, surroundings: Surroundings): LeaseManager {
  const origin = checkLeaseOptions(options, surroundings.env)
  const drainTimeoutMs = options.rotation?.drainTimeoutMs ?? defaultDrainTimeoutMs
  const { clock, random, shared = newShared() } = surroundings
  const { identity, open } = readOrigin(origin, options, { ...surroundings, shared })
  const share = shared.engines.take(options.shared === false ? undefined : identity, () => {
    return new SharedEngine({ source: open(), clock, random, drainTimeoutMs })
  })
  return new LeaseManager(share, clock)
}

/** A part of the options, read: what is identified is what is opened. */
interface Described<T> {
  /** Equal for what is the same. None when that cannot be known. */
  readonly identity: string | undefined
  open(): T
}

function readOrigin(
  origin: Origin,
  { vault, rotation }: LeaseOptions,
  surroundings: Required<Surroundings>,
): Described<CredentialSource> {
  const { clock } = surroundings
  if (origin.kind === 'credential')
    return { identity: undefined, open: () => credentialFunction(origin.give, clock) }
  if (origin.kind === 'credentialFile')
    return { identity: JSON.stringify([origin, rotation]), open: () => credentialFile(origin.path, clock) }
  const { name, mount } = origin
  const make = origin.kind === 'role' ? dynamicRole : staticRole
  const { identity, open } = readVault(vault, surroundings)
  return {
    identity: identity && JSON.stringify([origin, rotation, identity]),
    open: () => make({ ...open(), mount, name }),
  }
}

function readVault(
  vault: LeaseOptions['vault'],
  { clock, env, random, shared }: Required<Surroundings>,
): Described<Pick<VaultRole, 'vault' | 'close'>> {
  if (vault instanceof Vault)
    return { identity: identityOfInstance(vault), open: () => ({ vault, close: async () => {} }) }
  const config = readVaultConfig(vault ?? {}, env)
  const identity = identityOfVault(config)
  const open = (): Pick<VaultRole, 'vault' | 'close'> => {
    const share = shared.vaults.take(identity, () => createVaultOn(config, { clock, random }))
    const close = async (): Promise<void> => {
      if (share.release()) await share.value.close()
    }
    return { vault: share.value, close }
  }
  return { identity, open }
}

import { type Clock, systemClock } from '../resilience/clock.ts'
import { type Share, Shares } from '../resilience/shares.ts'
import { credentialFile } from '../source/credential-file.ts'
import { credentialFunction } from '../source/credential-function.ts'
import { dynamicRole } from '../source/dynamic-role.ts'
import type { CredentialSource } from '../source/source.ts'
import { staticRole } from '../source/static-role.ts'
import type { VaultRole } from '../source/vault-role.ts'
import { createVaultOn } from '../vault/create-vault.ts'
import { identityOfInstance, identityOfVault } from '../vault/identity-of-vault.ts'
import { readVaultConfig } from '../vault/vault-config.ts'
import { type VaultForLeases, vaultBehind } from '../vault/vault-for-leases.ts'
import { LeaseEngine } from './engine.ts'
import { checkLeaseOptions, type LeaseOptions, type Origin } from './lease-options.ts'
import { type LeaseManager, Manager } from './manager.ts'

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
  readonly engines: Shares<LeaseEngine>
  readonly vaults: Shares<VaultForLeases>
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
  const { source, identity } = readOrigin(origin, options, { ...surroundings, shared })
  const known = options.shared === false ? undefined : identity
  const sharedAs = known && JSON.stringify([known, drainTimeoutMs])
  return new Manager({
    description: source.description,
    clock,
    join: () =>
      shared.engines.take(sharedAs, () => new LeaseEngine({ source, clock, random, drainTimeoutMs })),
  })
}

/** What is identified is what is used. */
interface Identified {
  /** Equal for what is the same. None when that cannot be known. */
  readonly identity: string | undefined
}

function readOrigin(
  origin: Origin,
  { vault }: LeaseOptions,
  surroundings: Required<Surroundings>,
): Identified & { readonly source: CredentialSource } {
  const { clock, random } = surroundings
  if (origin.kind === 'credential')
    return { identity: identityOfInstance(origin.give), source: credentialFunction(origin.give, clock) }
  if (origin.kind === 'credentialFile')
    return { identity: JSON.stringify(origin), source: credentialFile(origin.path, clock) }
  const { name, mount } = origin
  const { identity, ...access } = readVault(vault, surroundings)
  const role = { name, mount, ...access }
  return {
    identity: identity && JSON.stringify([origin, identity]),
    source: origin.kind === 'role' ? dynamicRole(role) : staticRole(role, random),
  }
}

/** Opened with the first request, and shared by all that reach the same one in the same way with the same login. */
function readVault(
  vault: LeaseOptions['vault'],
  { clock, env, random, shared }: Required<Surroundings>,
): Identified & Pick<VaultRole, 'open' | 'close'> {
  const given = vaultBehind(vault)
  if (given) return { identity: identityOfInstance(given), open: () => given, close: async () => {} }
  const config = readVaultConfig(vault ?? {}, env)
  const identity = identityOfVault(config)
  let share: Share<VaultForLeases> | undefined
  return {
    identity,
    open() {
      share ??= shared.vaults.take(identity, () => createVaultOn(config, { clock, random }))
      return share.value
    },
    async close() {
      if (share?.release()) await share.value.close()
    },
  }
}

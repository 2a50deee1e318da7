import { type Servers, startServers as start } from '@vault-lease/testing'

export type { Servers } from '@vault-lease/testing'

import { createLeaseOn } from '../src/lease/create-lease.ts'
import type { LeaseOptions } from '../src/lease/lease-options.ts'
import type { LeaseManager } from '../src/lease/manager.ts'
import { systemClock } from '../src/resilience/clock.ts'
import { createVaultOn } from '../src/vault/create-vault.ts'
import { readVaultConfig } from '../src/vault/vault-config.ts'
import type { VaultOptions } from '../src/vault/vault-options.ts'
import type { VaultServer } from '../src/vault/vault-server.ts'

/** A real Vault with a database engine on a real PostgreSQL, one for each test file. */
export async function startServers(): Promise<Servers> {
  const servers = await start({ kind: 'postgresql', database: { maxConnections: 50 } })
  await servers.engine.role('app', { ttl: '60s', maxTtl: '10m' })
  return servers
}

/** `createVault()` without the variables of the machine that runs the tests. */
export function vaultOf(options: VaultOptions, env: NodeJS.ProcessEnv = {}): VaultServer {
  return createVaultOn(readVaultConfig({ maxRetries: 0, ...options }, env), {
    clock: systemClock,
    random: () => 0.5,
  })
}

/** `createLease()`, likewise. */
export function leaseOf(options: LeaseOptions): LeaseManager {
  return createLeaseOn({ role: 'app', ...options } as LeaseOptions, {
    clock: systemClock,
    env: {},
    random: () => 0.5,
  })
}

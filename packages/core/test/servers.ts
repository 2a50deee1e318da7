import {
  type DatabaseEngine,
  databaseEngine,
  type Postgres,
  startPostgres,
  startVault,
  type VaultServer,
} from '@vault-lease/testing'
import { createLeaseOn, type LeaseOptions } from '../src/lease/create-lease.ts'
import type { LeaseManager } from '../src/lease/manager.ts'
import { systemClock } from '../src/resilience/clock.ts'
import type { Vault, VaultOptions } from '../src/vault/vault.ts'
import { createVaultOn } from '../src/vault/vault.ts'

/** A real Vault with a database engine on a real PostgreSQL, one for each test file. */
export interface Servers extends AsyncDisposable {
  readonly vault: VaultServer
  readonly postgres: Postgres
  readonly engine: DatabaseEngine
}

export async function startServers(): Promise<Servers> {
  const [vault, postgres] = await Promise.all([startVault(), startPostgres({ maxConnections: 50 })])
  const engine = await databaseEngine(vault, postgres)
  await engine.role('app', { ttl: '60s', maxTtl: '10m' })
  return {
    vault,
    postgres,
    engine,
    async [Symbol.asyncDispose]() {
      await Promise.all([vault.stop(), postgres.stop()])
    },
  }
}

/** `createVault()` without the variables of the machine that runs the tests. */
export function vaultOf(options: VaultOptions, env: NodeJS.ProcessEnv = {}): Vault {
  return createVaultOn({ maxRetries: 0, ...options }, { clock: systemClock, env })
}

/** `createLease()`, likewise. */
export function leaseOf(options: LeaseOptions): LeaseManager {
  return createLeaseOn({ role: 'app', ...options }, { clock: systemClock, env: {}, random: () => 0.5 })
}

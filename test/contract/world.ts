import { appRole, createLease, type LeaseManager, type VaultOptions } from '@vault-lease/core'
import {
  type DatabaseEngine,
  databaseEngine,
  type Postgres,
  startPostgres,
  startVault,
  type VaultServer,
} from '@vault-lease/testing'
import { schema } from '../subjects/subject.ts'
import { type SecretWatch, watchSecrets } from './secrets.ts'

/** The servers that a contract runs on, and the ways to a lease on them. */
export interface World {
  readonly postgres: Postgres
  readonly server: VaultServer
  readonly engine: DatabaseEngine
  /** Knows every secret that these servers issue to us. */
  readonly secrets: SecretWatch
  /** Options that log in to the server by AppRole. */
  vaultOptions(): Promise<VaultOptions>
  /** A lease of its own, closed by `closeLeases()`. */
  lease(ttl: string, maxTtl: string): Promise<LeaseManager>
  closeLeases(): Promise<void>
  stop(): Promise<void>
}

export async function startWorld(): Promise<World> {
  const [postgres, server] = await Promise.all([startPostgres(), startVault({ storage: 'raft' })])
  await postgres.query(schema)
  const engine = await databaseEngine(server, postgres)
  const secrets = watchSecrets()
  secrets.know(server.token)
  const leases: LeaseManager[] = []
  const vaultOptions = async (): Promise<VaultOptions> => {
    const role = await engine.createAppRole()
    secrets.know(role.secretId)
    return { address: server.address, auth: secrets.watchLogins(appRole(role)), timeoutMs: 2_000 }
  }
  return {
    postgres,
    server,
    engine,
    secrets,
    vaultOptions,
    async lease(ttl, maxTtl) {
      await engine.role('app', { ttl, maxTtl })
      const lease = secrets.watch(createLease({ vault: await vaultOptions(), role: 'app' }))
      leases.push(lease)
      return lease
    },
    async closeLeases() {
      await Promise.all(leases.splice(0).map((lease) => lease.close()))
    },
    async stop() {
      await Promise.all([postgres.stop(), server.stop()])
    },
  }
}

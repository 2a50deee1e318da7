import {
  type DatabaseEngine,
  databaseEngine,
  type Postgres,
  startPostgres,
  startVault,
  type VaultServer,
} from '@vault-lease/testing'
import { schema } from '../subjects/subject.ts'

/** The servers that both sides use, and the two ways to log in to the database. */
export interface BenchServers {
  readonly postgres: Postgres
  readonly vault: VaultServer
  readonly engine: DatabaseEngine
  /** A user with the rights that a user from Vault has. */
  readonly staticLogin: { readonly user: string; readonly password: string }
  stop(): Promise<void>
}

export const role = 'bench'

export async function startBenchServers(): Promise<BenchServers> {
  const [postgres, vault] = await Promise.all([startPostgres(), startVault()])
  const staticLogin = { user: 'bench_static', password: 'bench-static' }
  await postgres.query(`${schema};
    create role ${staticLogin.user} login password '${staticLogin.password}';
    grant select, insert, update, delete on all tables in schema public to ${staticLogin.user};
    grant usage, select on all sequences in schema public to ${staticLogin.user}`)
  await postgres.query('vacuum analyze items')
  const engine = await databaseEngine(vault, postgres)
  // Longer than the bench: only the rotations that are asked for take place.
  await engine.role(role, { ttl: '2h', maxTtl: '4h' })
  const stop = async (): Promise<void> => void (await Promise.all([postgres.stop(), vault.stop()]))
  return { postgres, vault, engine, staticLogin, stop }
}

import { type DatabaseServer, type Servers, startServers } from '@vault-lease/testing'
import { type StaticLogin, staticUser } from '../subjects/static-user.ts'
import { schemas } from '../subjects/subject.ts'

/** The servers that both sides use, and the two ways to log in to the database. */
export interface BenchServers extends Servers {
  /** A user with the rights that a user from Vault has. */
  readonly staticLogin: StaticLogin
}

export const role = 'bench'

const staticLogin: StaticLogin = { user: 'bench_static', password: 'bench-static' }

export async function startBenchServers(kind: DatabaseServer['kind']): Promise<BenchServers> {
  const statistics = kind === 'postgresql' ? ['vacuum analyze items'] : []
  const schema = [...schemas[kind], ...staticUser(kind, staticLogin), ...statistics]
  const servers = await startServers({ kind, schema })
  // Longer than the bench: only the rotations that are asked for take place.
  await servers.engine.role(role, { ttl: '2h', maxTtl: '4h' })
  return { ...servers, staticLogin }
}

import { type DatabaseServer, type Servers, startServers } from '@vault-lease/testing'
import { schemas } from '../subjects/subject.ts'

/** The servers that both sides use, and the two ways to log in to the database. */
export interface BenchServers extends Servers {
  /** A user with the rights that a user from Vault has. */
  readonly staticLogin: { readonly user: string; readonly password: string }
}

export const role = 'bench'

const staticLogin = { user: 'bench_static', password: 'bench-static' }

const { user, password } = staticLogin
const staticUser: Readonly<Record<DatabaseServer['kind'], readonly string[]>> = {
  postgresql: [
    `create role ${user} login password '${password}'`,
    `grant select, insert, update, delete on all tables in schema public to ${user}`,
    `grant usage, select on all sequences in schema public to ${user}`,
    'vacuum analyze items',
  ],
  mysql: [
    `create user '${user}'@'%' identified by '${password}'`,
    `grant select, insert, update, delete on app.* to '${user}'@'%'`,
  ],
  mongodb: [
    JSON.stringify({
      createUser: user,
      pwd: password,
      roles: [{ role: 'readWrite', db: 'app' }],
      $db: 'admin',
    }),
  ],
}

export async function startBenchServers(kind: DatabaseServer['kind']): Promise<BenchServers> {
  const servers = await startServers({ kind, schema: [...schemas[kind], ...staticUser[kind]] })
  // Longer than the bench: only the rotations that are asked for take place.
  await servers.engine.role(role, { ttl: '2h', maxTtl: '4h' })
  return { ...servers, staticLogin }
}

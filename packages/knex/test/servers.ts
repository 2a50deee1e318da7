import { createLease, type LeaseManager, token, type VaultOptions } from '@vault-lease/core'
import { startServers as start, type Servers as TestServers } from '@vault-lease/testing'
import knex, { type Knex } from 'knex'
import { vaultConnection } from '../src/vault-connection.ts'

/** A real Vault and a real PostgreSQL with a table, and knexes on them that are destroyed together. */
export interface Servers extends TestServers {
  readonly role: string
  vaultOptions(): Promise<VaultOptions>
  /** A knex on a lease that a test can look at. */
  knex(config?: Knex.Config): Promise<{ db: Knex; lease: LeaseManager }>
  /** What was opened since is closed, and nothing is left. */
  endAll(): Promise<void>
}

export async function startServers(): Promise<Servers> {
  const servers = await start({
    kind: 'postgresql',
    schema: ['create table items (id serial primary key, name text)'],
  })
  const { vault, engine } = servers
  const role = 'app'
  await engine.role(role, { ttl: '60s', maxTtl: '10m' })
  const { host, port, database } = servers.database
  const opened: { db: Knex; lease: LeaseManager }[] = []
  const vaultOptions = async (): Promise<VaultOptions> => ({
    address: vault.address,
    auth: token(await engine.createToken()),
    timeoutMs: 2_000,
  })
  return {
    ...servers,
    role,
    vaultOptions,
    async knex(config = {}) {
      const lease = createLease({ vault: await vaultOptions(), role })
      const connection = vaultConnection({ lease, host, port, database })
      const db = knex({ client: 'pg', connection, pool: { min: 0, max: 3 }, log: { warn() {} }, ...config })
      opened.push({ db, lease })
      return { db, lease }
    },
    async endAll() {
      for (const { db, lease } of opened.splice(0)) {
        await db.destroy()
        await lease.close()
      }
      const left = await engine.users()
      if (left.length > 0) throw new Error(`${left.length} database users are left`)
    },
  }
}

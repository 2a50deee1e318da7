import { createLease, type LeaseManager, token } from '@vault-lease/core'
import { startServers as start, type Servers as TestServers } from '@vault-lease/testing'
import { VaultPool } from '../src/pool.ts'
import type { VaultPoolOptions } from '../src/pool-class.ts'

/** A real Vault and a real PostgreSQL with a table, and pools on them that are ended together. */
export interface Servers extends TestServers {
  readonly role: string
  lease(): Promise<LeaseManager>
  pool(options?: VaultPoolOptions): Promise<VaultPool>
  /** What was opened since is closed, and nothing is left. */
  endAll(): Promise<void>
  /** What a process of its own needs to find the servers. */
  environment(): Promise<NodeJS.ProcessEnv>
}

export async function startServers(): Promise<Servers> {
  const servers = await start({
    kind: 'postgresql',
    database: { maxConnections: 30 },
    schema: ['create table items (id serial primary key, name text)'],
  })
  const { vault, engine } = servers
  const role = 'app'
  await engine.role(role, { ttl: '60s', maxTtl: '10m' })
  const { host, port, database } = servers.database
  const opened: { end(): Promise<void> }[] = []
  const vaultOptions = async () => ({ address: vault.address, auth: token(await engine.createToken()) })
  return {
    ...servers,
    role,
    async lease() {
      const lease = createLease({ vault: await vaultOptions(), role })
      opened.push({ end: () => lease.close() })
      return lease
    },
    async pool(options = {}) {
      const from = options.lease ? {} : { vault: await vaultOptions(), role }
      const pool = new VaultPool({ ...from, host, port, database, max: 3, ...options })
      opened.unshift(pool)
      return pool
    },
    async endAll() {
      for (const each of opened.splice(0)) await each.end()
      const left = await engine.users()
      if (left.length > 0) throw new Error(`${left.length} database users are left`)
    },
    environment: async () => ({
      PATH: process.env['PATH'],
      VAULT_ADDR: vault.address,
      VAULT_TOKEN: await engine.createToken(),
      VAULT_DB_ROLE: role,
      PGHOST: host,
      PGPORT: String(port),
      PGDATABASE: database,
    }),
  }
}

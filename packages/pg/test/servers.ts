import { type LeasedServers, startLeasedServers } from '../../../test/leased-servers.ts'
import { VaultPool } from '../src/pool.ts'
import type { VaultPoolOptions } from '../src/pool-class.ts'

/** A real Vault and a real PostgreSQL with a table, and pools on them. */
export interface Servers extends LeasedServers {
  pool(options?: VaultPoolOptions): Promise<VaultPool>
}

export async function startServers(): Promise<Servers> {
  const servers = await startLeasedServers({
    kind: 'postgresql',
    database: { maxConnections: 30 },
    schema: ['create table items (id serial primary key, name text)'],
  })
  const { place, role } = servers
  return {
    ...servers,
    async pool(options = {}) {
      const from = options.lease ? {} : { vault: await servers.vaultOptions(), role }
      const pool = new VaultPool({ ...from, ...place, max: 3, ...options } as VaultPoolOptions)
      return servers.closing(pool, () => pool.end())
    },
  }
}

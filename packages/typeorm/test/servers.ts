import { createLease, type LeaseManager, token, type VaultOptions } from '@vault-lease/core'
import { startServers as start, type Servers as TestServers } from '@vault-lease/testing'
import { DataSource, EntitySchema } from 'typeorm'
import type { VaultPostgresOptions } from '../src/options.ts'
import { vaultDataSource } from '../src/vault-data-source.ts'

export interface Item {
  id: number
  name: string
}

export const Items = new EntitySchema<Item>({
  name: 'items',
  columns: { id: { type: Number, primary: true, generated: true }, name: { type: 'text' } },
})

/** The place, and a lease or where one comes from. */
export type Options = Omit<VaultPostgresOptions, 'type'>

/** A real Vault and a real PostgreSQL with a table of items. */
export interface Servers extends TestServers {
  readonly place: { readonly host: string; readonly port: number; readonly database: string }
  vaultOptions(): Promise<VaultOptions>
  /** What a process of its own needs to find the servers. */
  environment(): Promise<NodeJS.ProcessEnv>
  /** A lease that a test can look at. */
  lease(): Promise<LeaseManager>
  /** A DataSource that is initialised, with a lease of its own. */
  dataSource(options?: Options): Promise<DataSource>
  /** What was opened since is closed, and nothing is left. */
  endAll(): Promise<void>
}

const role = 'app'

export async function startServers(): Promise<Servers> {
  const servers = await start({
    kind: 'postgresql',
    schema: ['create table items (id serial primary key, name text)'],
  })
  const { vault, engine, database } = servers
  await engine.role(role, { ttl: '60s', maxTtl: '10m' })
  const place = { host: database.host, port: database.port, database: database.database }
  const dataSources: DataSource[] = []
  const leases: LeaseManager[] = []
  const vaultOptions = async (): Promise<VaultOptions> => ({
    address: vault.address,
    auth: token(await engine.createToken()),
    timeoutMs: 2_000,
  })
  return {
    ...servers,
    place,
    vaultOptions,
    environment: async () => ({
      PATH: process.env['PATH'],
      VAULT_ADDR: vault.address,
      VAULT_TOKEN: await engine.createToken(),
      VAULT_DB_ROLE: role,
      PGHOST: place.host,
      PGPORT: String(place.port),
      PGDATABASE: place.database,
    }),
    async lease() {
      const lease = createLease({ vault: await vaultOptions(), role })
      leases.push(lease)
      return lease
    },
    async dataSource(options = {}) {
      const from = options.lease ? {} : { vault: options.vault ?? (await vaultOptions()), role }
      const dataSource = new DataSource(
        vaultDataSource({ type: 'postgres', ...from, ...place, entities: [Items], ...options }),
      )
      dataSources.push(dataSource)
      return await dataSource.initialize()
    },
    async endAll() {
      for (const dataSource of dataSources.splice(0)) {
        if (dataSource.isInitialized) await dataSource.destroy()
      }
      for (const lease of leases.splice(0)) await lease.close()
      const left = await engine.users()
      if (left.length > 0) throw new Error(`${left.length} database users are left`)
    },
  }
}

/** The database user that a statement of the DataSource runs as. */
export async function userOf(dataSource: DataSource): Promise<string> {
  const [{ user }] = await dataSource.query('select session_user as user')
  return user
}

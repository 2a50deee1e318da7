import { createLease, type LeaseManager, token, type VaultOptions } from '@vault-lease/core'
import { startServers as start, type Servers as TestServers } from '@vault-lease/testing'
import { DataSource, EntitySchema } from 'typeorm'
import { type VaultDataSourceOptions, vaultDataSource } from '../src/index.ts'
import { type Dialect, dialects, type Type } from './dialects.ts'

export interface Item {
  id: number
  name: string
}

export const Items = new EntitySchema<Item>({
  name: 'items',
  columns: { id: { type: Number, primary: true, generated: true }, name: { type: 'text' } },
})

/** The place, and a lease or where one comes from. */
export type Options = Omit<VaultDataSourceOptions, 'type'>

/** A real Vault and a real database with a table of items. */
export interface Servers extends TestServers {
  readonly dialect: Dialect
  readonly place: { readonly host: string; readonly port: number; readonly database: string }
  vaultOptions(): Promise<VaultOptions>
  /** What a process of its own needs to find the servers. */
  environment(): Promise<NodeJS.ProcessEnv>
  /** A lease that a test can look at. */
  lease(): Promise<LeaseManager>
  /** A DataSource that is initialised, with a lease of its own. */
  dataSource(options?: Options): Promise<DataSource>
  /** The database user that a statement of the DataSource runs as. */
  userOf(on: Pick<DataSource, 'query'>): Promise<string>
  /** What is connected to the database as a user from Vault. */
  sessions(): Promise<unknown[]>
  /** What was opened since is closed, and nothing is left. */
  endAll(): Promise<void>
}

const role = 'app'

/** Its users may make tables. */
export const ownerRole = 'owner'

export async function startServers(type: Type): Promise<Servers> {
  const dialect = dialects[type]
  const servers = await start({ kind: dialect.kind, schema: [dialect.itemsTable] })
  const { vault, engine, database } = servers
  const terms = { ttl: '60s', maxTtl: '10m' }
  await engine.role(role, terms)
  await engine.role(ownerRole, { ...terms, creationStatements: dialect.ownerStatements })
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
    dialect,
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
        vaultDataSource({ type, ...from, ...place, entities: [Items], ...options }),
      )
      dataSources.push(dataSource)
      return await dataSource.initialize()
    },
    async userOf(on) {
      const [{ who }] = await on.query(dialect.sessionUser)
      return who
    },
    sessions: () => database.query(dialect.sessions),
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

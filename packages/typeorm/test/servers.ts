import { DataSource, EntitySchema } from 'typeorm'
import { type LeasedServers, startLeasedServers } from '../../../test/leased-servers.ts'
import {
  type VaultDataSourceOptions,
  type VaultMySqlOptions,
  type VaultPostgresOptions,
  vaultDataSource,
} from '../src/index.ts'
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
export type Options = Omit<VaultPostgresOptions | VaultMySqlOptions, 'type'>

/** A real Vault and a real database with a table of items. */
export interface Servers extends LeasedServers {
  readonly dialect: Dialect
  /** A DataSource that is initialised, with a lease of its own. */
  dataSource(options?: Options): Promise<DataSource>
  /** The database user that a statement of the DataSource runs as. */
  userOf(on: Pick<DataSource, 'query'>): Promise<string>
  /** What is connected to the database as a user from Vault. */
  sessions(): Promise<unknown[]>
}

/** Its users may make tables. */
export const ownerRole = 'owner'

export async function startServers(type: Type): Promise<Servers> {
  const dialect = dialects[type]
  const servers = await startLeasedServers({ kind: dialect.kind, schema: [dialect.itemsTable] })
  const { role, place, database } = servers
  const ownerOfTables = { ttl: '60s', maxTtl: '10m', creationStatements: dialect.ownerStatements }
  await servers.engine.role(ownerRole, ownerOfTables)
  return {
    ...servers,
    dialect,
    async dataSource(options = {}) {
      const from = options.lease ? {} : { vault: options.vault ?? (await servers.vaultOptions()), role }
      const dataSource = new DataSource(
        vaultDataSource({ type, ...from, ...place, entities: [Items], ...options } as VaultDataSourceOptions),
      )
      servers.closing(dataSource, () => dataSource.isInitialized && dataSource.destroy())
      return await dataSource.initialize()
    },
    async userOf(on) {
      const [{ who }] = await on.query(dialect.sessionUser)
      return who
    },
    sessions: () => database.query(dialect.sessions),
  }
}

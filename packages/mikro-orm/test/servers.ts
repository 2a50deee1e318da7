import { EntitySchema, type MikroORM, type Options } from '@mikro-orm/core'
import { MariaDbDriver, MikroORM as MariaDbMikroORM } from '@mikro-orm/mariadb'
import { MySqlDriver, MikroORM as MySqlMikroORM } from '@mikro-orm/mysql'
import { PostgreSqlDriver, MikroORM as PostgreSqlMikroORM } from '@mikro-orm/postgresql'
import type { LeaseManager } from '@vault-lease/core'
import { type LeasedServers, startLeasedServers } from '../../../test/leased-servers.ts'
import { type VaultMikroOrmOptions, vaultMikroOrm } from '../src/index.ts'

/** A driver of MikroORM each. */
export const kinds = ['postgresql', 'mysql', 'mariadb'] as const

export type Kind = (typeof kinds)[number]

interface Item {
  id: number
  name: string
  at: Date
}

export const Items = new EntitySchema<Item>({
  name: 'Item',
  tableName: 'items',
  properties: {
    id: { type: 'number', primary: true, autoincrement: true },
    name: { type: 'string', length: 40 },
    at: { type: 'Date' },
  },
})

const items = {
  postgresql: 'create table items (id serial primary key, name varchar(40), at timestamptz)',
  mysql: 'create table items (id int primary key auto_increment, name varchar(40), at datetime)',
} as const

const drivers = { postgresql: PostgreSqlDriver, mysql: MySqlDriver, mariadb: MariaDbDriver } as const
const orms = { postgresql: PostgreSqlMikroORM, mysql: MySqlMikroORM, mariadb: MariaDbMikroORM } as const

const mysqlUser = `substring_index(session_user(), '@', 1)`

/** The user of a session, as an expression of SQL. */
export const userExpressions = {
  postgresql: 'session_user',
  mysql: mysqlUser,
  mariadb: mysqlUser,
} as const

type OwnOptions = Omit<VaultMikroOrmOptions<PostgreSqlDriver>, 'driver'>

/** A real Vault and a real database with a table, and MikroORMs on them. */
export interface Servers extends LeasedServers {
  /** The options for the driver of the database. */
  options(own: OwnOptions): Options<PostgreSqlDriver>
  /** A MikroORM that is closed after the test. */
  open(options: Options<PostgreSqlDriver>): Promise<MikroORM<PostgreSqlDriver>>
  /** A MikroORM on a lease that a test can look at. */
  orm(own?: OwnOptions): Promise<{ orm: MikroORM<PostgreSqlDriver>; lease: LeaseManager }>
}

export async function startServers(kind: Kind): Promise<Servers> {
  const database = kind === 'postgresql' ? kind : 'mysql'
  const servers = await startLeasedServers({ kind: database, schema: [items[database]] })
  const { host, port, database: dbName } = servers.place
  // What is used of the drivers is the same.
  const driver = drivers[kind] as unknown as typeof PostgreSqlDriver
  const MikroORM = orms[kind] as unknown as typeof PostgreSqlMikroORM
  const options: Servers['options'] = (own) =>
    vaultMikroOrm({ driver, host, port, dbName, entities: [Items], logger: () => {}, ...own } as never)
  const open: Servers['open'] = async (all) => servers.closing(await MikroORM.init(all), (orm) => orm.close())
  return {
    ...servers,
    options,
    open,
    async orm(own = {}) {
      const lease = await servers.lease()
      return { orm: await open(options({ pool: { min: 0, max: 3 }, ...own, lease } as OwnOptions)), lease }
    },
  }
}

import type { LeaseManager } from '@vault-lease/core'
import { type Options, Sequelize } from 'sequelize'
import { type LeasedServers, startLeasedServers } from '../../../test/leased-servers.ts'
import type { VaultSequelizeOptions } from '../src/options.ts'
import { vaultSequelize } from '../src/vault-sequelize.ts'

export type DialectName = NonNullable<VaultSequelizeOptions['dialect']>

/** A real Vault and a real database with a table, and Sequelizes on them. */
export interface Servers extends LeasedServers {
  /** A Sequelize on a lease that a test can look at. */
  sequelize(options?: VaultSequelizeOptions): Promise<{ db: Sequelize; lease: LeaseManager }>
  /** A Sequelize that is closed after the test. */
  open(options: Options): Sequelize
  /** The sessions of users of leases. */
  sessions(): Promise<unknown[]>
}

const userOfMySql = `substring_index(session_user(), '@', 1)`
/** The user of a session, as an expression of SQL. */
export const userExpressions: Readonly<Record<DialectName, string>> = {
  postgres: 'session_user',
  mysql: userOfMySql,
  mariadb: userOfMySql,
}

export const dialectNames = Object.keys(userExpressions) as DialectName[]

const postgresql = {
  kind: 'postgresql',
  itemsTable: 'create table items (id serial primary key, name text)',
  sessions: `select 1 from pg_stat_activity where usename like 'v-%'`,
} as const

const mysql = {
  kind: 'mysql',
  itemsTable: 'create table items (id int primary key auto_increment, name varchar(40))',
  sessions: `select 1 from information_schema.processlist where user like 'v-%'`,
} as const

export async function startServers(dialect: DialectName = 'postgres'): Promise<Servers> {
  const { kind, itemsTable, sessions } = dialect === 'postgres' ? postgresql : mysql
  const servers = await startLeasedServers({ kind, schema: [itemsTable] })
  const open = (options: Options): Sequelize => servers.closing(new Sequelize(options), (db) => db.close())
  return {
    ...servers,
    open,
    async sequelize(options = {}) {
      const lease = await servers.lease()
      const place = { dialect, ...servers.place, pool: { max: 3 }, logging: false } as const
      return { db: open(vaultSequelize({ ...place, ...options, lease } as VaultSequelizeOptions)), lease }
    },
    sessions: () => servers.database.query(sessions),
  }
}

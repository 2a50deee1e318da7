import type { DatabaseServer } from '@vault-lease/testing'
import type { VaultDataSourceOptions } from '../src/index.ts'

/** What the tests say differently to each type of database. */
export interface Dialect {
  readonly kind: DatabaseServer['kind']
  readonly itemsTable: string
  /** For users that may make tables, which stay when they are dropped. */
  readonly ownerStatements: readonly string[]
  readonly sessionUser: string
  readonly sessions: string
  /** Options of the driver that close an idle connection soon. */
  readonly closeIdle: object
  sleep(seconds: number): string
  changePassword(user: string): string
}

/** Those that speak SQL. */
export type Type = Exclude<VaultDataSourceOptions['type'], 'mongodb'>

const mysql: Dialect = {
  kind: 'mysql',
  itemsTable: 'create table items (id int auto_increment primary key, name text)',
  ownerStatements: [
    `CREATE USER '{{name}}'@'%' IDENTIFIED BY '{{password}}'`,
    `GRANT ALL PRIVILEGES ON app.* TO '{{name}}'@'%'`,
  ],
  sessionUser: `select substring_index(session_user(), '@', 1) as who`,
  sessions: `select 1 from information_schema.processlist where user like 'v-%'`,
  closeIdle: { maxIdle: 0, idleTimeout: 1 },
  sleep: (seconds) => `select sleep(${seconds})`,
  changePassword: (user) => `alter user '${user}'@'%' identified by 'changed behind the back'`,
}

export const dialects: Readonly<Record<Type, Dialect>> = {
  postgres: {
    kind: 'postgresql',
    itemsTable: 'create table items (id serial primary key, name text)',
    ownerStatements: [
      `CREATE ROLE "{{name}}" WITH LOGIN SUPERUSER PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'`,
      `ALTER ROLE "{{name}}" SET role = postgres`,
    ],
    sessionUser: 'select session_user as who',
    sessions: `select 1 from pg_stat_activity where usename like 'v-%'`,
    closeIdle: { idleTimeoutMillis: 1 },
    sleep: (seconds) => `select pg_sleep(${seconds})`,
    changePassword: (user) => `alter role "${user}" password 'changed behind the back'`,
  },
  mysql,
  mariadb: mysql,
}

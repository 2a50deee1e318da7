import type { DatabaseServer } from '@vault-lease/testing'
import type { Sql } from 'postgres'

export type SideName = 'static' | 'leased'

/** Where a start connects. Vault is named by the environment. */
export interface StartPlace {
  readonly host: string
  readonly port: number
  readonly database: string
  /** Of the static side. */
  readonly login: { readonly user: string; readonly password: string }
  /** Of the leased side. */
  readonly role: string
}

/** What has been made of a package, and not connected yet. */
export interface Started {
  firstRow(): Promise<unknown>
  end(): Promise<unknown>
}

/** Imports a package. Resolves with what makes a pool of it. */
type Load = () => Promise<(place: StartPlace) => Started>

/** How an application begins with an adapter of ours, and with its driver alone. */
interface Start extends Readonly<Record<SideName, Load>> {
  readonly database: DatabaseServer['kind']
  /** The package of ours, and what an application has installed without it. */
  readonly package: string
  readonly drivers: readonly string[]
}

export const starts = {
  pg: {
    database: 'postgresql',
    package: '@vault-lease/pg',
    drivers: ['pg'],
    static: async () => {
      const { default: pg } = await import('pg')
      return ({ login, role: _, ...place }) => ofPg(new pg.Pool({ ...place, ...login }))
    },
    leased: async () => {
      const { VaultPool } = await import('@vault-lease/pg')
      return ({ login: _, ...place }) => ofPg(new VaultPool(place))
    },
  },
  postgres: {
    database: 'postgresql',
    package: '@vault-lease/postgres',
    drivers: ['postgres'],
    static: async () => {
      const { default: postgres } = await import('postgres')
      return ({ login, role: _, ...place }) => ofPostgres(postgres({ ...place, ...login }))
    },
    leased: async () => {
      const { vaultPostgres } = await import('@vault-lease/postgres')
      return ({ login: _, ...place }) => ofPostgres(vaultPostgres(place))
    },
  },
  knex: {
    database: 'postgresql',
    package: '@vault-lease/knex',
    drivers: ['knex', 'pg'],
    static: async () => {
      const { default: knex } = await import('knex')
      return ({ login, role: _, ...place }) =>
        ofKnex(knex({ client: 'pg', connection: { ...place, ...login } }))
    },
    leased: async () => {
      const [{ default: knex }, { vaultConnection }] = await Promise.all([
        import('knex'),
        import('@vault-lease/knex'),
      ])
      return ({ login: _, ...place }) => ofKnex(knex({ client: 'pg', connection: vaultConnection(place) }))
    },
  },
  mysql2: {
    database: 'mysql',
    package: '@vault-lease/mysql2',
    drivers: ['mysql2'],
    static: async () => {
      const { default: mysql } = await import('mysql2/promise')
      return ({ login, role: _, ...place }) => ofMySql(mysql.createPool({ ...place, ...login }))
    },
    leased: async () => {
      const { createPool } = await import('@vault-lease/mysql2/promise')
      return ({ login: _, ...place }) => ofMySql(createPool(place))
    },
  },
  mongodb: {
    database: 'mongodb',
    package: '@vault-lease/mongodb',
    drivers: ['mongodb'],
    static: async () => {
      const { MongoClient } = await import('mongodb')
      return (place) => {
        const { user: username, password } = place.login
        return ofMongo(new MongoClient(urlOf(place), { auth: { username, password }, authSource: 'admin' }))
      }
    },
    leased: async () => {
      const { VaultMongoClient } = await import('@vault-lease/mongodb')
      return (place) => ofMongo(new VaultMongoClient(urlOf(place), { role: place.role }))
    },
  },
} as const satisfies Record<string, Start>

export type StartName = keyof typeof starts
export const startNames = Object.keys(starts) as StartName[]

function ofPostgres(sql: Sql): Started {
  return { firstRow: async () => await sql`select name from items where id = 1`, end: () => sql.end() }
}

function ofPg(pool: { query(sql: string): Promise<unknown>; end(): Promise<void> }): Started {
  return { firstRow: () => pool.query('select name from items where id = 1'), end: () => pool.end() }
}

function ofKnex(db: { raw(sql: string): PromiseLike<unknown>; destroy(): Promise<void> }): Started {
  return {
    firstRow: async () => await db.raw('select name from items where id = 1'),
    end: () => db.destroy(),
  }
}

function ofMySql(pool: { query(sql: string): Promise<unknown>; end(): Promise<void> }): Started {
  return { firstRow: () => pool.query('select name from items where id = 1'), end: () => pool.end() }
}

interface Client {
  db(): { collection(name: string): { findOne(): Promise<unknown> } }
  close(): Promise<void>
}

function ofMongo(client: Client): Started {
  return { firstRow: () => client.db().collection('items').findOne(), end: () => client.close() }
}

function urlOf({ host, port, database }: StartPlace): string {
  return `mongodb://${host}:${port}/${database}`
}

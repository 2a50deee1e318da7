import type { DatabaseServerOptions, Servers as TestServers } from '@vault-lease/testing'
import type { Pool, PoolConnection, QueryError } from 'mysql2'
import { type LeasedServers, startLeasedServers } from '../../../test/leased-servers.ts'
import { createPool, type VaultPool, type VaultPoolOptions } from '../src/index.ts'
import { createPool as createPromisePool, type VaultPool as VaultPromisePool } from '../src/promise.ts'

/** A real Vault and a real MariaDB with a table, and pools on them. */
export interface Servers extends LeasedServers {
  pool(options?: VaultPoolOptions): Promise<VaultPool>
  promisePool(options?: VaultPoolOptions): Promise<VaultPromisePool>
}

export const maxConnections = 20

export async function startServers(options: DatabaseServerOptions = {}): Promise<Servers> {
  const servers = await startLeasedServers({
    kind: 'mysql',
    database: { maxConnections, ...options },
    schema: ['create table items (id serial primary key, name varchar(100))'],
  })
  const { place, role } = servers
  const poolOptions = async (options: VaultPoolOptions): Promise<VaultPoolOptions> => {
    const from = options.lease ? {} : { vault: await servers.vaultOptions(), role }
    return { ...from, ...place, connectionLimit: 3, ...options } as VaultPoolOptions
  }
  return {
    ...servers,
    async pool(options = {}) {
      const pool = createPool(await poolOptions(options))
      return servers.closing(pool, () => pool.end())
    },
    async promisePool(options = {}) {
      const pool = createPromisePool(await poolOptions(options))
      return servers.closing(pool, () => pool.end())
    },
  }
}

export const whoAmI = `select substring_index(session_user(), '@', 1) as user`

/** The user of a session, by callbacks. */
export async function userOf(queryable: Pick<Pool, 'query'>): Promise<string> {
  const [row] = await ask<{ user: string }>(queryable, whoAmI)
  return row?.user ?? ''
}

export function ask<Row>(
  queryable: Pick<Pool, 'query'>,
  sql: string,
  values: unknown[] = [],
): Promise<Row[]> {
  return new Promise((resolve, reject) => {
    queryable.query(sql, values, (error, rows) => (error ? reject(error) : resolve(rows as Row[])))
  })
}

export function connectionOf(pool: Pick<Pool, 'getConnection'>): Promise<PoolConnection> {
  return new Promise((resolve, reject) => {
    pool.getConnection((error, connection) => (error ? reject(error) : resolve(connection)))
  })
}

export function failureOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.catch((error: QueryError) => error)
}

/** How many statements like this are running on the server. */
export async function running({ database }: TestServers, sql: string): Promise<number> {
  const rows = await database.query('select 1 from information_schema.processlist where info = ?', [sql])
  return rows.length
}

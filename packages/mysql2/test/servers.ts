import { createLease, type LeaseManager, token } from '@vault-lease/core'
import { startServers as start, type Servers as TestServers } from '@vault-lease/testing'
import type { Pool, PoolConnection, QueryError } from 'mysql2'
import { createPool, type VaultPool, type VaultPoolOptions } from '../src/index.ts'
import { createPool as createPromisePool, type VaultPool as VaultPromisePool } from '../src/promise.ts'

/** A real Vault and a real MariaDB with a table, and pools on them that are ended together. */
export interface Servers extends TestServers {
  readonly role: string
  lease(): Promise<LeaseManager>
  pool(options?: VaultPoolOptions): Promise<VaultPool>
  promisePool(options?: VaultPoolOptions): Promise<VaultPromisePool>
  /** What was opened since is closed, and nothing is left. */
  endAll(): Promise<void>
  /** What a process of its own needs to find the servers. */
  environment(): Promise<NodeJS.ProcessEnv>
}

export const maxConnections = 20

export async function startServers(): Promise<Servers> {
  const servers = await start({
    kind: 'mysql',
    database: { maxConnections },
    schema: ['create table items (id serial primary key, name varchar(100))'],
  })
  const { vault, engine } = servers
  const role = 'app'
  await engine.role(role, { ttl: '60s', maxTtl: '10m' })
  const { host, port, database } = servers.database
  const opened: { end(): Promise<void> }[] = []
  const vaultOptions = async () => ({ address: vault.address, auth: token(await engine.createToken()) })
  const poolOptions = async (options: VaultPoolOptions): Promise<VaultPoolOptions> => {
    const from = options.lease ? {} : { vault: await vaultOptions(), role }
    return { ...from, host, port, database, connectionLimit: 3, ...options }
  }
  return {
    ...servers,
    role,
    async lease() {
      const lease = createLease({ vault: await vaultOptions(), role })
      opened.push({ end: () => lease.close() })
      return lease
    },
    async pool(options = {}) {
      const pool = createPool(await poolOptions(options))
      opened.unshift(pool)
      return pool
    },
    async promisePool(options = {}) {
      const pool = createPromisePool(await poolOptions(options))
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
      DB_HOST: host,
      DB_PORT: String(port),
      DB_NAME: database,
    }),
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

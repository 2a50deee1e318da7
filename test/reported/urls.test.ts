import { createLease } from '@vault-lease/core'
import { vaultConnection } from '@vault-lease/knex'
import { createPool } from '@vault-lease/mysql2'
import { VaultPool } from '@vault-lease/pg'
import { vaultPostgres } from '@vault-lease/postgres'
import { type DatabaseServer, startMariaDb, startPostgres } from '@vault-lease/testing'
import knex from 'knex'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

interface Opened {
  query(): Promise<unknown>
  close(): Promise<unknown>
}
type Open = (url: string, lease: ReturnType<typeof createLease>) => Opened

const onPostgres: Record<string, Open> = {
  pg(connectionString, lease) {
    const pool = new VaultPool({ connectionString, lease })
    return { query: () => pool.query('select 1'), close: () => pool.end() }
  },
  postgres(url, lease) {
    const sql = vaultPostgres(url, { lease })
    return { query: () => sql`select 1`, close: () => sql.end() }
  },
  knex(connectionString, lease) {
    const db = knex({ client: 'pg', connection: vaultConnection({ connectionString, lease }) })
    return { query: () => db.raw('select 1'), close: () => db.destroy() }
  },
}

const onMysql: Record<string, Open> = {
  mysql2(uri, lease) {
    const pool = createPool({ uri, lease }).promise()
    return { query: () => pool.query('select 1'), close: () => pool.end() }
  },
}

// A framework whose URL had an empty password took that one, and asked nobody for another.
describe.each([
  ['postgresql', startPostgres, onPostgres],
  ['mysql', startMariaDb, onMysql],
] as const)('an empty password in the URL of %s', (scheme, start, adapters) => {
  let server: DatabaseServer
  beforeAll(async () => {
    server = await start()
  })
  afterAll(() => server?.stop())

  it.each(Object.keys(adapters).flatMap((name) => ['', '@', ':@'].map((login) => ({ name, login }))))(
    'is none for $name: "$login"',
    async ({ name, login }) => {
      const { host, port, database, superuser } = server
      const lease = createLease({
        credential: async () => ({ username: superuser.user, password: superuser.password || 'any' }),
      })
      const opened = adapters[name]?.(`${scheme}://${login}${host}:${port}/${database}`, lease)
      try {
        await expect(opened?.query()).resolves.toBeDefined()
      } finally {
        await opened?.close()
        await lease.close()
      }
    },
  )
})

import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import knex, { type Knex } from 'knex'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { vaultConnection } from '../src/vault-connection.ts'
import { type Servers, startServers } from './servers.ts'

describe('a knex on a vaultConnection()', () => {
  let servers: Servers
  beforeAll(async () => {
    servers = await startServers()
  })
  afterEach(() => servers.endAll())
  afterAll(() => servers?.stop())

  const place = (): { host: string; port: number; database: string } => {
    const { host, port, database } = servers.database
    return { host, port, database }
  }
  const userOf = async (db: Knex): Promise<string> => {
    const { rows } = await db.raw('select session_user as user')
    return rows[0].user
  }

  it('works by its one line, and destroy() leaves nothing', async () => {
    const { role } = servers
    const connection = vaultConnection({ vault: await servers.vaultOptions(), role, ...place() })
    const db = knex({ client: 'pg', connection })
    expect(await userOf(db)).toMatch(/^v-token-app-/)
    await Promise.all([db.destroy(), db.destroy()])
    expect(await servers.engine.users()).toEqual([])
  })

  it('can be destroyed with a callback, and initialised again', async () => {
    const { role } = servers
    const connection = vaultConnection({ vault: await servers.vaultOptions(), role, ...place() })
    const warnings: unknown[] = []
    const db = knex({ client: 'pg', connection, log: { warn: (message) => void warnings.push(message) } })
    const before = await userOf(db)
    await new Promise<void>((resolve) => db.destroy(() => resolve()))
    expect(warnings).toEqual([])
    expect(await servers.engine.users()).toEqual([])
    db.initialize()
    expect(await userOf(db)).not.toBe(before)
    await db.destroy()
  })

  it('keeps searchPath, afterCreate, validate and the limits of the pool', async () => {
    const created: unknown[] = []
    const { db, lease } = await servers.knex({
      searchPath: ['private', 'public'],
      pool: {
        min: 0,
        max: 2,
        afterCreate: (connection: unknown, done: (error?: Error) => void) => {
          created.push(connection)
          done()
        },
        validate: async () => true,
      },
    })
    const { rows } = await db.raw('show search_path')
    expect(rows[0].search_path.replaceAll('"', '')).toMatch(/private, ?public/)
    await Promise.all(Array.from({ length: 5 }, () => db.raw('select pg_sleep(0.02)')))
    const before = created.length
    await lease.rotate()
    await db('items').select()
    expect(created.length).toBeGreaterThan(before)
  })

  it('runs transactions, savepoints and isolation levels, and rolls back', async () => {
    const { db, lease } = await servers.knex()
    await db.transaction(
      async (outer) => {
        await outer('items').insert({ name: 'kept' })
        await lease.rotate()
        await outer
          .transaction(async (inner) => {
            await inner('items').insert({ name: 'dropped' })
            throw new Error('roll back to the savepoint')
          })
          .catch(() => {})
      },
      { isolationLevel: 'repeatable read' },
    )
    await expect(
      db.transaction(async (trx) => {
        await trx('items').insert({ name: 'dropped' })
        throw new Error('no')
      }),
    ).rejects.toThrow('no')
    expect(await db('items').pluck('name')).toEqual(['kept'])
  })

  it('streams, also when nobody reads to the end', async () => {
    const { db } = await servers.knex({ pool: { min: 0, max: 1 } })
    const numbers = () => db.raw('select * from generate_series(1, 500) n').stream({ highWaterMark: 5 })
    let rows = 0
    for await (const _row of numbers()) rows++
    expect(rows).toBe(500)
    for await (const _row of numbers()) break
    const abandoned = numbers()
    await once(abandoned, 'readable')
    abandoned.destroy()
    await db('items').select()
  })

  it('cancels on the server what has timed out, on a pool of one', async () => {
    const { db } = await servers.knex({ pool: { min: 0, max: 1 } })
    const slow = db.raw('select pg_sleep(30)').timeout(200, { cancel: true })
    await expect(slow).rejects.toThrow('Defined query timeout of 200ms exceeded')
    const running = await servers.database.query(
      `select 1 from pg_stat_activity where query like '%pg_sleep(30)%' and state = 'active' and usename like 'v-%'`,
    )
    expect(running).toEqual([])
    await db('items').select()
  })

  it('tells of each query, as ever', async () => {
    const { db } = await servers.knex()
    const told: string[] = []
    for (const event of ['query', 'query-response', 'query-error']) db.on(event, () => told.push(event))
    await db('items').select()
    await db('nowhere')
      .select()
      .catch(() => {})
    expect(told).toEqual(['query', 'query-response', 'query', 'query-error'])
  })

  it('rotates once and connects again when the database refuses the user, and runs no query twice', async () => {
    const { db, lease } = await servers.knex()
    await lease.ready()
    const user = lease.status().username
    await servers.database.query(`alter role "${user}" password 'changed behind the back'`)
    await Promise.all(Array.from({ length: 10 }, () => db('items').insert({ name: 'once' })))
    expect(lease.status().generation).toBe(2)
    expect(await servers.database.query(`select 1 from items where name = 'once'`)).toHaveLength(10)
  })

  it('times out an acquire on a full pool', async () => {
    const { db, lease } = await servers.knex({ pool: { min: 0, max: 1 }, acquireConnectionTimeout: 1_500 })
    await lease.ready()
    const trx = await db.transaction()
    await expect(db('items').select()).rejects.toThrow('Timeout acquiring a connection')
    await trx.commit()
    await db('items').select()
  })

  it('may be one of two on the same vaultConnection(), and beside one with a password', async () => {
    const { role } = servers
    const connection = vaultConnection({ vault: await servers.vaultOptions(), role, ...place() })
    const both = [knex({ client: 'pg', connection }), knex({ client: 'pg', connection })] as const
    const withPassword = knex({ client: 'pg', connection: { ...servers.database.superuser, ...place() } })
    const users = await Promise.all([...both, withPassword].map(userOf))
    expect(users[0]).toBe(users[1])
    expect(users[2]).toBe('postgres')
    for (const db of [...both, withPassword]) await db.destroy()
  })

  it('runs migrations and seeds by knex’s own command line, with a knexfile and the environment alone', async () => {
    const mayCreate = [
      `CREATE ROLE "{{name}}" WITH LOGIN SUPERUSER PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'`,
      `ALTER ROLE "{{name}}" SET role = postgres`,
    ]
    await servers.engine.role('migrate', { ttl: '60s', maxTtl: '10m', creationStatements: mayCreate })
    const cli = join(createRequire(import.meta.url).resolve('knex/package.json'), '..', 'bin', 'cli.js')
    const { host, port, database } = place()
    const run = async (...args: string[]) =>
      await promisify(execFile)(
        process.execPath,
        ['--conditions=@vault-lease/source', '--import', 'tsx', cli, ...args],
        {
          cwd: fileURLToPath(new URL('./project', import.meta.url)),
          timeout: 40_000,
          env: {
            PATH: process.env['PATH'],
            VAULT_ADDR: servers.vault.address,
            VAULT_TOKEN: await servers.engine.createToken(),
            VAULT_DB_ROLE: 'migrate',
            PGHOST: host,
            PGPORT: String(port),
            PGDATABASE: database,
          },
        },
      )
    expect((await run('migrate:latest')).stdout).toContain('Batch 1 run: 1 migrations')
    expect((await run('seed:run')).stdout).toContain('Ran 1 seed files')
    expect(await servers.database.query('select title from books')).toHaveLength(1)
    expect((await run('migrate:rollback')).stdout).toContain('Batch 1 rolled back: 1 migrations')
    await servers.engine.revokePrefix('migrate')
  })

  it('says what it needs when it is given to another client', async () => {
    const { lease } = await servers.knex()
    const connection = vaultConnection({ lease, ...place() })
    class Elsewhere extends knex.Client {}
    Object.assign(Elsewhere.prototype, { driverName: 'elsewhere', _driver: () => ({}) })
    const db = knex({ client: Elsewhere, connection, log: { warn() {} } })
    await expect(db.select(1)).rejects.toMatchObject({
      code: 'ERR_INVALID_OPTION',
      message: expect.stringContaining('This knex uses "elsewhere"'),
    })
    await expect(connection()).rejects.toThrow('It was not called as a method of a knex client')
    await db.destroy()
  })

  it.each(['free', 'used', '_destroy', '_tryAcquireOrCreate'])(
    'says that it does not know a knex whose pool has no "%s"',
    async (member) => {
      const { db, lease } = await servers.knex()
      const pool = Object.create(db.client.pool, { [member]: { value: undefined } })
      const client = Object.create(db.client, { pool: { value: pool } })
      await expect(vaultConnection({ lease, ...place() }).call(client)).rejects.toMatchObject({
        code: 'ERR_INVALID_OPTION',
        message: expect.stringContaining('its version is not supported'),
      })
    },
  )

  it.each<[string, object, RegExp]>([
    ['a user in the connection string', { connectionString: 'postgresql://me@db/app' }, /Leave the user/],
    ['no database', { database: undefined }, /Which database\?/],
  ])('refuses %s at the first query, when it knows the client', async (_name, options, message) => {
    const db = knex({
      client: 'pg',
      connection: vaultConnection({ role: 'app', database: 'app', ...options }),
    })
    await expect(db.select(1)).rejects.toThrow(message)
    await db.destroy()
  })

  it.each<[string, object, RegExp]>([
    ['a misspelt role', { roel: 'app' }, /did you mean "role"/],
    ['a user', { user: 'me' }, /Leave out "user"/],
    ['a role with a slash', { role: 'a/b' }, /role "a\/b" holds "\/"/],
    ['an expirationChecker', { expirationChecker: () => false }, /Leave out "expirationChecker"/],
  ])('refuses %s before anything is sent', (_name, options, message) => {
    expect(() => vaultConnection({ role: 'app', database: 'app', ...options })).toThrow(message)
  })
})

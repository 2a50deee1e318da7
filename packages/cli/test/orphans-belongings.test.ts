import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Servers, startServers } from '@vault-lease/testing'
import mysql from 'mysql2/promise'
import pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Ended, run } from './cli.ts'

const password = 'a-secret'

interface Command {
  readonly servers: Servers
  readonly adminUrl: string
  orphans(...args: string[]): Promise<Ended>
}

async function commandFor(kind: Servers['database']['kind'], schema: string[] = []): Promise<Command> {
  const servers = await startServers({ kind, schema })
  const { host, port, database, superuser } = servers.database
  const adminUrl = `${kind}://${superuser.user}:${superuser.password}@${host}:${port}/${database}`
  const env = {
    VAULT_ADDR: servers.vault.address,
    VAULT_TOKEN: servers.vault.token,
    VAULT_LEASE_ADMIN_URL: adminUrl,
  }
  return { servers, adminUrl, orphans: (...args) => run(['orphans', ...args], env) }
}

describe('what an orphan has in PostgreSQL', () => {
  const user = `v-token-app-${'a'.repeat(20)}-1600000000`
  let command: Command
  const query = (sql: string) => command.servers.database.query(sql)
  const inOther = async (sql: string): Promise<pg.QueryResult> => {
    const client = new pg.Client({ connectionString: command.adminUrl.replace(/app$/, 'other') })
    await client.connect()
    try {
      return await client.query(sql)
    } finally {
      await client.end()
    }
  }

  beforeAll(async () => {
    command = await commandFor('postgresql', [
      'create table items (id int)',
      'create role app_owner',
      'create database other',
    ])
  })
  beforeEach(async () => {
    await query(`create role "${user}" login password '${password}'`)
    await query(`grant select on items to "${user}"`)
    await query(`alter default privileges in schema public grant select on tables to "${user}"`)
  })
  afterAll(() => command?.servers.stop())

  const owns = async (): Promise<void> => {
    for (const run of [query, inOther]) {
      await run(`create table if not exists mine (id int)`)
      await run(`alter table mine owner to "${user}"`)
    }
  }
  const exists = async (): Promise<boolean> =>
    (await query(`select 1 from pg_roles where rolname = '${user}'`)).length > 0
  const ownersOfMine = async (): Promise<unknown[]> => {
    const sql = `select tableowner as owner from pg_tables where tablename = 'mine'`
    return [...(await query(sql)), ...(await inOther(sql)).rows].map(({ owner }) => owner)
  }

  it('is told for every database, and is in the way of --drop alone', async () => {
    await owns()
    const { code, stdout } = await command.orphans('--json')
    expect(code).toBe(1)
    expect(JSON.parse(stdout).orphans).toMatchObject([
      { username: user, sessions: 0, owns: ['table mine in app', 'table mine in other'] },
    ])
    const dropped = await command.orphans('--drop')
    expect(dropped).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('--reassign-to or --drop-owned'),
    })
    expect(await exists()).toBe(true)
    expect(await command.orphans('--drop', '--reassign-to', 'nobody-there')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('"nobody-there" does not exist'),
    })
    expect(await command.orphans('--drop', '--reassign-to', 'app_owner')).toMatchObject({ code: 0 })
    expect(await exists()).toBe(false)
    expect(await ownersOfMine()).toEqual(['app_owner', 'app_owner'])
  })

  it('is dropped with --drop-owned', async () => {
    await owns()
    expect(await command.orphans('--drop', '--drop-owned')).toMatchObject({ code: 0 })
    expect(await exists()).toBe(false)
    expect(await ownersOfMine()).toEqual([])
  })

  it('sessions are told, and ended', async () => {
    const { host, port } = command.servers.database
    const client = new pg.Client({ host, port, database: 'other', user, password })
    const ended = new Promise((resolve) => client.on('error', resolve))
    await client.connect()
    const { stdout } = await command.orphans('--json')
    expect(JSON.parse(stdout).orphans).toMatchObject([{ sessions: 1, owns: [] }])
    expect(await command.orphans('--drop')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('is dropped'),
    })
    expect(await ended).toMatchObject({ code: '57P01' })
    expect(await exists()).toBe(false)
  })
})

describe('what an orphan has in MariaDB', () => {
  const user = `v-token-app-${'a'.repeat(20)}`
  let command: Command
  beforeAll(async () => {
    command = await commandFor('mysql', ['create table items (id int)'])
    await command.servers.database.query(
      `set timestamp = 1600000000; create user '${user}'@'%' identified by '${password}'; set timestamp = default`,
    )
  })
  afterAll(() => command?.servers.stop())

  it('is told, kept with --drop alone, and dropped with --drop-owned; its sessions are ended', async () => {
    await command.servers.database.query(
      `create definer = '${user}'@'%' view mine as select id from items;
       create definer = '${user}'@'%' function one() returns int return 1`,
    )
    const { host, port } = command.servers.database
    const session = await mysql.createConnection({ host, port, user, password })
    session.on('error', () => {})
    const { stdout } = await command.orphans('--json')
    expect(JSON.parse(stdout).orphans).toMatchObject([
      { username: user, sessions: 1, owns: ['view app.mine', 'function app.one'] },
    ])
    expect(await command.orphans('--drop')).toMatchObject({ code: 1 })
    expect(await command.orphans('--drop', '--reassign-to', 'x')).toMatchObject({ code: 2 })
    await session.query('select 1')
    expect(await command.orphans('--drop', '--drop-owned')).toMatchObject({ code: 0 })
    await expect(session.query('select 1')).rejects.toThrow()
    expect(await command.servers.engine.users()).toEqual([])
    expect(await command.servers.database.query('show tables')).toEqual([{ Tables_in_app: 'items' }])
  })
})

describe('vault-lease orphans says what is wrong', () => {
  let command: Command
  let folder: string
  beforeAll(async () => {
    command = await commandFor('postgresql')
    folder = mkdtempSync(join(tmpdir(), 'orphans-'))
  })
  afterAll(async () => {
    rmSync(folder, { recursive: true })
    await command?.servers.stop()
  })
  const orphansAt = (adminUrl: string, ...args: string[]): Promise<Ended> => {
    const file = join(folder, 'admin-url')
    writeFileSync(file, `${adminUrl}\n`)
    return command.orphans('--admin-url-file', file, ...args)
  }

  it.each([
    { what: 'no login', url: 'postgresql://127.0.0.1/app', args: [], code: 2, says: 'names no user' },
    { what: 'no database', url: 'redis://me:a-secret@127.0.0.1/', args: [], code: 2, says: 'postgresql://' },
    {
      what: 'a database that is not there',
      url: 'postgresql://me:a-secret@127.0.0.1:1/app',
      args: [],
      code: 4,
      says: 'ECONNREFUSED',
    },
    {
      what: 'ownership without --drop',
      url: 'postgresql://me:a-secret@127.0.0.1:1/app',
      args: ['--drop-owned'],
      code: 2,
      says: '--drop',
    },
  ])('$what', async ({ url, args, code, says }) => {
    const ended = await orphansAt(url, ...args)
    expect(ended).toMatchObject({ code, stdout: '', stderr: expect.stringContaining(says) })
    expect(ended.stderr).not.toContain('a-secret')
  })

  it('a superuser whom the database refuses', async () => {
    const refused = command.adminUrl.replace(/:[^:@]+@/, ':another@')
    expect(await orphansAt(refused)).toMatchObject({
      code: 4,
      stderr: expect.stringContaining('authentication failed'),
    })
  })

  it('a token that may not see the leases', async () => {
    const env = {
      VAULT_ADDR: command.servers.vault.address,
      VAULT_TOKEN: await command.servers.engine.createToken(),
    }
    const ended = await run(['orphans'], { ...env, VAULT_LEASE_ADMIN_URL: command.adminUrl })
    expect(ended).toMatchObject({ code: 3, stderr: expect.stringContaining('permission denied') })
  })

  it('names that only the connection knows, until they are told', async () => {
    const { vault, database } = command.servers
    const { superuser, host, port } = database
    await vault.must('POST', 'database/config/named', {
      plugin_name: 'postgresql-database-plugin',
      connection_url: `postgresql://{{username}}:{{password}}@${host}:${port}/app?sslmode=disable`,
      username: superuser.user,
      password: superuser.password,
      username_template: 'app_{{.RoleName}}_{{unix_time}}',
    })
    await database.query('create role app_app_1600000000 login')
    expect(await command.orphans()).toMatchObject({ code: 2, stderr: expect.stringContaining('--pattern') })
    const told = await command.orphans('--json', '--pattern', 'app_(?<role>.+)_(?<time>\\d{10})')
    expect(JSON.parse(told.stdout).orphans).toMatchObject([{ username: 'app_app_1600000000' }])
  })
})

import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Servers, startServers } from '@vault-lease/testing'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { accessTo, run } from './cli.ts'

const modules = fileURLToPath(new URL('../../../examples/knex-postgres/node_modules', import.meta.url))
const knexfile = `module.exports = {
  client: 'pg',
  connection: process.env.DATABASE_URL,
  migrations: { directory: __dirname + '/migrations', loadExtensions: ['.cjs'] },
}`
const migration = `
exports.up = (knex) => knex.schema.createTable('users', (table) => table.increments('id'))
exports.down = (knex) => knex.schema.dropTable('users')`

let servers: Servers
let folder: string
beforeAll(async () => {
  servers = await startServers({
    kind: 'postgresql',
    schema: ['create role app_owner nologin', 'grant create on schema public to app_owner'],
  })
  folder = mkdtempSync(join(tmpdir(), 'migrations-'))
  // knex looks for itself beside its configuration.
  symlinkSync(modules, join(folder, 'node_modules'))
  writeFileSync(join(folder, 'knexfile.cjs'), knexfile)
  mkdirSync(join(folder, 'migrations'))
  writeFileSync(join(folder, 'migrations', '1_users.cjs'), migration)
})
afterAll(async () => {
  rmSync(folder, { recursive: true })
  await servers?.stop()
})

it('runs migrations of knex as a user that is gone afterwards, whose tables belong to a role that stays', async () => {
  const creationStatements = [
    `create role "{{name}}" login password '{{password}}' valid until '{{expiration}}' in role app_owner;
     alter role "{{name}}" set role = app_owner`,
  ]
  await servers.engine.role('migrate', { ttl: '60s', maxTtl: '120s', creationStatements })
  const command = [
    '--',
    join(modules, '.bin', 'knex'),
    '--knexfile',
    join(folder, 'knexfile.cjs'),
    'migrate:latest',
  ]
  const ended = await run(['exec', '--role', 'migrate', ...command], await accessTo(servers))
  expect(ended).toMatchObject({ code: 0, stdout: expect.stringContaining('1 migrations') })
  const [owned] = await servers.database.query<{ owner: string }>(
    `select tableowner as owner from pg_tables where tablename = 'users'`,
  )
  expect(owned?.owner).toBe('app_owner')
  expect(await servers.engine.users()).toEqual([])
})

import { execFile } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { createLease } from '@vault-lease/core'
import { token, VaultPool } from '@vault-lease/pg'
import { hammer } from '@vault-lease/testing'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type Ended, type Running, run, start, startOnTerminal } from './cli.ts'
import { type SetupServers, startSetupServers, vaultProgram } from './setup-servers.ts'

let servers: SetupServers
let running: Running | undefined

beforeAll(async () => {
  servers = await startSetupServers()
})
afterEach(() => running?.child.kill('SIGKILL'))
afterAll(async () => {
  await servers?.[Symbol.asyncDispose]()
})

const setup = (...args: string[]): Promise<Ended> => run(['setup', ...args], servers.env)

async function usersOfVault(): Promise<unknown[]> {
  return await servers.postgres.query(`select rolname from pg_roles where rolname like 'v-%'`)
}

async function statusOf(path: string): Promise<number> {
  return (await servers.vault.call('GET', path)).status
}

describe('vault-lease setup with the example', () => {
  it('tells by --plan what is not there, and changes nothing', async () => {
    const { code, stdout } = await setup(servers.example, '--plan')
    expect(code).toBe(1)
    expect(stdout).toContain('+ mount sys/mounts/database\n')
    expect(stdout).toContain('! root password database/config/my-postgresql-database')
    expect(stdout).toContain('+ auth role auth/jwt/role/deploy\n')
    expect(await statusOf('sys/mounts/database')).toBe(400)
  })

  it('does not rotate a root password unasked', async () => {
    const { code, stderr } = await setup(servers.example)
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining('give --yes') })
    expect(await statusOf('sys/mounts/database')).toBe(400)
  })

  it('sends nothing when a password is not at hand', async () => {
    const env = { ...servers.env, MYSQL_ADMIN_PASSWORD: '' }
    const { code, stderr } = await run(['setup', servers.example, '--yes'], env)
    expect(code).toBe(2)
    expect(stderr).toMatch(/setup\.yaml:\d+:\d+: The variable MYSQL_ADMIN_PASSWORD is not set\./)
    expect(await statusOf('sys/mounts/database')).toBe(400)
  })

  it('goes on after Ctrl-C, and after kill -9', async () => {
    for (const [signal, code] of [
      ['SIGINT', 130],
      ['SIGKILL', 'SIGKILL'],
    ] as const) {
      const part = start(['setup', servers.example, '--yes'], servers.env)
      running = part
      await part.until(/^\+ role .*$/m)
      part.child.kill(signal)
      expect(await part.ended).toBe(code)
      expect(part.stdout).not.toContain('policy')
    }
    // One killed while it tried a role leaves a user that ends with its lease.
    await servers.vault.must('PUT', 'sys/leases/revoke-prefix/database/creds', { sync: true })
    const { code, stdout, stderr } = await setup(servers.example, '--yes')
    expect({ code, stderr }).toEqual({ code: 0, stderr: 'Done.\n' })
    expect(stdout).not.toContain('mount sys/mounts/database\n')
    expect(stdout).not.toContain('root password')
  })

  it('has nothing to do a second time, also without the passwords', async () => {
    const { VAULT_ADDR, VAULT_TOKEN } = servers.env
    for (const more of [[], ['--plan']]) {
      const ended = await run(['setup', servers.example, ...more], { VAULT_ADDR, VAULT_TOKEN })
      expect(ended).toEqual({ code: 0, stdout: '', stderr: 'Nothing to do.\n' })
    }
  })

  it('has rotated the root passwords once, and the one in use works', async () => {
    const { vault, postgres } = servers
    const { body } = await vault.must('GET', 'database/config/my-postgresql-database')
    expect(body.data.connection_details.root_rotated_at).toMatch(/^\d{4}-/)
    const [{ unchanged } = { unchanged: true }] = await postgres.query<{ unchanged: boolean }>(
      `select rolpassword = $1 as unchanged from pg_authid where rolname = 'vault_admin'`,
      ['of-the-file'],
    )
    expect(unchanged).toBe(false)
    const rotations = readFileSync(servers.auditFile, 'utf8')
      .split('\n')
      .filter((line) => line.includes('"type":"response"') && line.includes('rotate-root/my-postgresql'))
    expect(rotations).toHaveLength(1)
    const creds = await vault.must('GET', 'database/creds/readonly')
    await vault.must('PUT', 'sys/leases/revoke', { lease_id: creds.body.lease_id, sync: true })
    expect(await usersOfVault()).toEqual([])
  })

  it('has made what loses no query while it is rotated, with the policy that it has made', async () => {
    const { vault, postgres } = servers
    const { body } = await vault.must('POST', 'auth/token/create', { policies: ['db-readwrite'], ttl: '1h' })
    const lease = createLease({
      role: 'readwrite',
      vault: { address: vault.address, auth: token(body.auth.client_token) },
    })
    const { host, port, database } = postgres
    const pool = new VaultPool({ lease, host, port, database, max: 5 })
    const query = async (): Promise<unknown> => {
      await pool.query(`insert into users (name) values ('x')`)
      return pool.query('select count(*) from users')
    }
    const failed: unknown[] = []
    lease.on('failed', (event) => failed.push(event))
    const report = hammer({ run: { query }, workers: 10, thinkMs: 20, until: 5_000 })
    for (const _rotation of [1, 2, 3]) {
      await new Promise((resolve) => setTimeout(resolve, 1_000))
      await lease.rotate()
    }
    expect((await report).failures).toEqual({})
    await pool.end()
    await lease.close()
    expect(failed).toEqual([])
    expect(await usersOfVault()).toEqual([])
    const acl = await postgres.query<{ acl: string }>(
      `select relacl::text as acl from pg_class where relname = 'users'`,
    )
    expect(acl[0]?.acl).not.toContain('v-')
  })

  it('ends sessions and keeps what a user owns, when it drops it', async () => {
    const { vault, postgres } = servers
    await postgres.query('grant create on schema public to app_readwrite')
    const { body } = await vault.must('GET', 'database/creds/readwrite')
    const { username: user, password } = body.data
    const { default: pg } = await import('pg')
    const { host, port, database } = postgres
    const client = new pg.Client({ host, port, database, user, password })
    const ended = new Promise((resolve) => client.on('error', resolve))
    await client.connect()
    await client.query('create table made (id int)')
    await vault.must('PUT', 'sys/leases/revoke', { lease_id: body.lease_id, sync: true })
    expect(await ended).toBeInstanceOf(Error)
    expect(await usersOfVault()).toEqual([])
    expect(await postgres.query(`select tableowner from pg_tables where tablename = 'made'`)).toEqual([
      { tableowner: 'app_readwrite' },
    ])
  })

  it('does not mind a user that is gone already', async () => {
    const { vault, postgres } = servers
    const { body } = await vault.must('GET', 'database/creds/readonly')
    await postgres.query(`drop role "${body.data.username}"`)
    await vault.must('PUT', 'sys/leases/revoke', { lease_id: body.lease_id, sync: true })
  })

  it('shows what somebody has changed by hand, and mends it', async () => {
    const { vault } = servers
    await vault.must('POST', 'database/roles/readonly', { default_ttl: '2h' })
    await vault.must('POST', 'database/config/my-postgresql-database', { allowed_roles: ['readonly'] })
    await vault.must('POST', 'database/roles/extra', {
      db_name: 'my-mysql-database',
      creation_statements: ['x'],
    })
    await vault.must('PUT', 'sys/policies/acl/db-readonly', {
      policy: 'path "*" { capabilities = ["read"] }',
    })
    const plan = await setup(servers.example, '--plan')
    expect(plan.code).toBe(1)
    expect(plan.stdout).toContain('~ role database/roles/readonly\n    default_ttl: 2h → 1h\n')
    expect(plan.stdout).toContain('~ policy sys/policies/acl/db-readonly')
    expect(plan.stderr).toContain('database/roles/extra is not in the file')
    const json = await setup(servers.example, '--plan', '--json')
    expect(JSON.parse(json.stdout)).toMatchObject({
      changes: [
        { path: 'database/config/my-postgresql-database', differences: [{ field: 'allowed_roles' }] },
        {
          action: 'change',
          path: 'database/roles/readonly',
          differences: [{ field: 'default_ttl', is: 7_200, shouldBe: 3_600 }],
        },
        { path: 'sys/policies/acl/db-readonly' },
      ],
      beside: ['database/roles/extra'],
    })
    expect((await setup(servers.example)).code).toBe(0)
    expect((await setup(servers.example, '--plan')).code).toBe(0)
    await vault.must('DELETE', 'database/roles/extra')
  })

  it('writes a file from the server that is the same', async () => {
    const out = join(servers.folder, 'from-server.yaml')
    const written = await setup(out, '--from-server')
    expect(written.code).toBe(0)
    const text = readFileSync(out, 'utf8')
    expect(text).toContain('        template: reporting\n        group: app_reporting\n')
    expect(text).toContain('  db-readonly:\n    read:\n      - database/creds/readonly\n')
    expect(text).not.toContain('of-the-file')
    expect((await setup(out, '--plan')).stdout).toBe('')
    expect((await setup(out, '--from-server')).code).toBe(2)
    const json = await setup('--from-server', '--json')
    expect((await setup(servers.file('from-server.json', json.stdout), '--plan')).code).toBe(0)
  })

  it('knows the audit devices of the server, and says where OpenBao has them', async () => {
    const audit = (path: string) =>
      `audit:\n  ${path}:\n    type: file\n    options:\n      file_path: ${servers.auditFile}\n`
    expect(await setup(servers.file('audit.yaml', audit('main')), '--plan')).toMatchObject({ code: 0 })
    const other = servers.file('other-audit.yaml', audit('main').replace('audit.log', 'other.log'))
    expect((await setup(other, '--plan')).stdout).toMatch(
      /^~ audit device sys\/audit\/main\n {4}options: .*audit\.log.*other\.log/,
    )
    expect(await setup(other)).toMatchObject({ code: 2, stderr: expect.stringContaining('disable this one') })
    const { code, stderr } = await setup(servers.file('more-audit.yaml', audit('other')))
    expect(code).toBe(3)
    expect(stderr).toMatch(
      /more-audit\.yaml:2:3: audit device sys\/audit\/other: .*configuration of the server/,
    )
  })
})

describe('vault-lease setup --print', () => {
  const program = vaultProgram()

  it.skipIf(program === undefined)('prints commands that come to the same', async () => {
    const { env, folder } = servers
    const printed = await setup(servers.example, '--print')
    expect(printed.code).toBe(0)
    expect(printed.stdout).not.toContain('of-the-file')
    for (const mount of [
      'mounts/database',
      'mounts/databases',
      'auth/kubernetes',
      'auth/approle',
      'auth/jwt',
    ])
      await servers.vault.must('DELETE', `sys/${mount}`)
    await servers.undoRotations()
    const { stdout } = await run(['setup', servers.example, '--plan', '--json'], env)
    expect(JSON.parse(stdout).changes).toContainEqual(expect.objectContaining({ action: 'create' }))
    const script = join(folder, 'setup.sh')
    writeFileSync(script, `set -eu\nvault() { "${program}" "$@"; }\n${printed.stdout}`)
    const { PATH, HOME } = process.env
    await promisify(execFile)('sh', [script], { env: { PATH, HOME, ...env, BAO_ADDR: env['VAULT_ADDR'] } })
    expect(await setup(servers.example, '--plan')).toMatchObject({ code: 0, stdout: '' })
  })
})

describe('vault-lease setup with a role of one’s own', () => {
  const file = (statements: string, more = ''): string => {
    const { host, port, database, superuser } = servers.postgres
    return servers.file(
      'own.yaml',
      `engines:
  own:
    connections:
      pg:
        plugin_name: postgresql-database-plugin
        connection_url: postgresql://{{username}}:{{password}}@${host}:${port}/${database}?sslmode=disable
        username: ${superuser.user}
        password_env: SUPERUSER_PASSWORD
    roles:
      app:
        connection: pg
${statements}
${more}`,
    )
  }
  const creation = `CREATE ROLE "{{name}}" LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'`
  const right = `        creation_statements: |
          ${creation}`

  it('takes back a role that cannot make a user, and says where it stands', async () => {
    const wrong = file(`        creation_statements: CREATE ROL "{{name}}"`)
    for (const _run of [1, 2]) {
      const { code, stderr } = await setup(wrong)
      expect(code).toBe(4)
      expect(stderr).toMatch(
        /own\.yaml:10:7: role own\/roles\/app: .*syntax error.*The role was taken back\./,
      )
      expect(stderr).not.toContain(servers.env['SUPERUSER_PASSWORD'])
      expect(await statusOf('own/roles/app')).toBe(404)
    }
  })

  it('leaves in force what worked, when its successor does not', async () => {
    expect((await setup(file(right))).code).toBe(0)
    const { code } = await setup(file(`        creation_statements: CREATE ROL "{{name}}"`))
    expect(code).toBe(4)
    expect((await setup(file(right), '--plan')).code).toBe(0)
  })

  it('finds out that a user cannot be dropped', async () => {
    const { code, stderr } = await setup(file(`${right}\n        revocation_statements: DROP ROL "{{name}}"`))
    expect(code).toBe(4)
    expect(stderr).toContain('failed to revoke')
    await servers.vault.must('PUT', 'sys/leases/revoke-force/own/creds/app')
    for (const { rolname } of (await usersOfVault()) as { rolname: string }[])
      await servers.postgres.query(`drop role "${rolname}"`)
  })

  it('makes a group where Vault may grant, and grants it what comes later', async () => {
    const { vault, postgres } = servers
    await postgres.query('create schema later')
    const template = `        template: readwrite\n        group: later_readwrite\n        schema: later`
    expect((await setup(file(template))).code).toBe(0)
    await postgres.query('create table later.items (id serial primary key)')
    const privileges = async (): Promise<unknown> =>
      (
        await postgres.query<{ may: boolean }>(
          `select has_table_privilege('later_readwrite', 'later.items', 'INSERT') and has_sequence_privilege('later_readwrite', 'later.items_id_seq', 'USAGE') as may`,
        )
      )[0]?.may
    expect(await privileges()).toBe(false)
    const many = await Promise.all(Array.from({ length: 8 }, () => vault.must('GET', 'own/creds/app')))
    expect(await privileges()).toBe(true)
    expect(many.map(({ status }) => status)).toEqual(Array(8).fill(200))
    await vault.must('PUT', 'sys/leases/revoke-prefix/own/creds/app', { sync: true })
    expect(await usersOfVault()).toEqual([])
  })

  it('does not make a group that it may not give anything', async () => {
    const { vault, postgres, env } = servers
    await postgres.query(`create role poor login createrole password '${env['SUPERUSER_PASSWORD']}'`)
    await postgres.query('create schema closed')
    await postgres.query('create table closed.items (id int)')
    const text = readFileSync(
      file(`        template: readonly\n        group: closed_readonly\n        schema: closed`),
      'utf8',
    )
    const poor = servers.file(
      'poor.yaml',
      text.replace(/username: .*/, 'username: poor').replace('own:', 'poor:'),
    )
    const { code, stderr } = await setup(poor)
    expect(code).toBe(4)
    expect(stderr).toContain('permission denied for schema closed')
    expect(await postgres.query(`select from pg_roles where rolname = 'closed_readonly'`)).toEqual([])
    await vault.must('DELETE', 'sys/mounts/poor')
  })

  it('names the policy that was meant', async () => {
    const auth = `auth:
  approle:
    roles:
      app:
        token_policies: [db-readonl]
`
    const { code, stdout } = await setup(file(right, auth), '--json')
    expect(code).toBe(2)
    expect(JSON.parse(stdout).problems).toEqual([
      { line: 17, column: 7, message: expect.stringContaining('did you mean "db-readonly"?') },
    ])
  })
})

describe('vault-lease setup refuses', () => {
  it('a file with mistakes, each with its place', async () => {
    const text = readFileSync(servers.example, 'utf8').replace('template: readonly', 'template: readonli')
    const { code, stderr } = await setup(servers.file('wrong.yaml', text.replace('auth:', 'auht:')))
    expect(code).toBe(2)
    expect(stderr).toMatch(/wrong\.yaml:\d+:\d+: "readonli" is not known here, did you mean "readonly"\?/)
    expect(stderr).toMatch(/wrong\.yaml:\d+:1: "auht" is not known here, did you mean "auth"\?/)
    const json = await setup(servers.file('broken.yaml', 'engines: [\n'), '--json')
    expect(JSON.parse(json.stdout)).toMatchObject({ problems: [{ line: 2 }] })
  })

  it.each([
    [['setup'], 'Name the file'],
    [['setup', '/nowhere.yaml'], 'cannot be read'],
    [['setup', 'x', '--plan', '--print'], 'Give one of'],
  ])('%j', async (args, message) => {
    expect(await run(args, servers.env)).toMatchObject({ code: 2, stderr: expect.stringContaining(message) })
  })

  it('a Vault that is not there', async () => {
    const env = { ...servers.env, VAULT_ADDR: 'http://127.0.0.1:1' }
    expect(await run(['setup', servers.example, '--plan'], env)).toMatchObject({ code: 3 })
  })

  it('a mount of another kind', async () => {
    await servers.vault.must('POST', 'sys/mounts/other', { type: 'kv' })
    const { code, stderr } = await setup(servers.file('other.yaml', 'engines:\n  other: {}\n'))
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr: expect.stringContaining('is there, and of the type kv'),
    })
  })

  it('a password that the database does not take', async () => {
    const text = readFileSync(servers.example, 'utf8').replaceAll('database:\n    conn', 'third:\n    conn')
    const only = servers.file('third.yaml', text.slice(0, text.indexOf('\npolicies:')))
    const env = { ...servers.env, POSTGRES_ADMIN_PASSWORD: 'wrong' }
    const { code, stderr } = await run(['setup', only, '--yes'], env)
    expect(code).toBe(4)
    expect(stderr).toMatch(/third\.yaml:\d+:7: connection third\/config\/my-postgresql-database: /)
    expect(stderr).toContain('password authentication failed')
  })
})

describe('vault-lease setup on a terminal', () => {
  it.each([
    ['n', 1, false],
    ['y', 0, true],
  ])('asks before it rotates: %s', async (answer, code, rotated) => {
    const { postgres, env } = servers
    const { host, port, database } = postgres
    await postgres.query(`drop role if exists asked`)
    await postgres.query(`create role asked login createrole password 'of-the-file'`)
    await servers.vault.call('DELETE', 'sys/mounts/asked')
    const file = servers.file(
      'asked.yaml',
      `engines:
  asked:
    connections:
      pg:
        plugin_name: postgresql-database-plugin
        connection_url: postgresql://{{username}}:{{password}}@${host}:${port}/${database}?sslmode=disable
        username: asked
        password_env: POSTGRES_ADMIN_PASSWORD
        rotate_root: true
`,
    )
    const terminal = startOnTerminal(['setup', file], env)
    running = terminal
    await terminal.until(/Rotate the root password of asked\/config\/pg\?.*\[y\/N\]/)
    terminal.child.stdin?.write(`${answer}\n`)
    expect(await terminal.ended).toBe(code)
    expect(terminal.stdout.includes('! root password')).toBe(rotated)
  })
})

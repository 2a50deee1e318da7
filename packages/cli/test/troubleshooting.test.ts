import { chownSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import {
  type Connection,
  type Servers,
  startMariaDb,
  startPgBouncer,
  startPostgres,
  startPostgresPair,
  startServers,
} from '@vault-lease/testing'
import { createConnection } from 'mysql2/promise'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { missing } from '../../../test/unless-missing.ts'
import { findPgBouncer } from '../../testing/src/binaries.ts'
import { freePort } from '../../testing/src/server-process.ts'
import { clockFinding } from '../src/doctor/clock.ts'
import { accessTo, run, startProgram } from './cli.ts'
import { folderOfNobody } from './pgbouncer-folder.ts'

const page = readFileSync(fileURLToPath(new URL('../../core/TROUBLESHOOTING.md', import.meta.url)), 'utf8')
/** The messages under each heading. */
const entries = new Map(
  Array.from(page.matchAll(/^## (.+)\n\n```text\n([^`]+)\n```$/gm), ([, title = '', messages = '']) => [
    title,
    messages.split('\n'),
  ]),
)

interface Login {
  readonly username: string
  readonly password: string
}

interface Credential extends Login {
  readonly lease: string
}

/** What goes wrong, in the words of whoever says it. */
async function wordsOf(failing: Promise<unknown>): Promise<string> {
  const error = await failing.then(
    () => new Error('nothing failed'),
    (reason: unknown) => reason,
  )
  return error instanceof Error ? error.message : String(error)
}

async function logIn(
  { host, port, database }: Connection,
  { username, password }: Login,
): Promise<pg.Client> {
  const client = new pg.Client({ host, port, database, user: username, password })
  client.on('error', () => {})
  await client.connect()
  return client
}

const noPgBouncer = await missing(findPgBouncer)

describe('the troubleshooting page', () => {
  let servers: Servers
  let env: Record<string, string>
  const told = new Set<string>()

  beforeAll(async () => {
    servers = await startServers({ kind: 'postgresql', schema: ['create table items (id int)'] })
    await servers.engine.role('app', { ttl: '1h', maxTtl: '2h' })
    env = await accessTo(servers)
  })
  afterAll(() => servers?.stop())

  const credential = async (role = 'app'): Promise<Credential> => {
    const { body } = await servers.vault.call('GET', `database/creds/${role}`, undefined, {
      token: env['VAULT_TOKEN'] ?? '',
    })
    return { ...body.data, lease: body.lease_id }
  }
  const revoke = (lease: string) => servers.vault.call('PUT', 'sys/leases/revoke', { lease_id: lease })

  /** That each message of an entry was said. */
  function isOnPage(title: string, ...said: readonly string[]): void {
    const messages = entries.get(title)
    expect(messages, `no entry "${title}"`).toBeDefined()
    for (const message of messages ?? []) {
      const parts = message.split('…').map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'))
      expect(said.join('\n')).toMatch(new RegExp(parts.join('.*')))
    }
    told.add(title)
  }

  it('permission denied, password authentication failed: of a user that is gone', async () => {
    const user = await credential()
    const client = await logIn(servers.database, user)
    await revoke(user.lease)
    isOnPage('Permission denied for a table', await wordsOf(client.query('select * from items')))
    await client.end()
    await using mysql = await startMariaDb()
    const { host, port } = mysql
    const login = { host, port, user: user.username.slice(0, 32), password: user.password }
    isOnPage(
      'Password authentication failed',
      await wordsOf(logIn(servers.database, user)),
      await wordsOf(createConnection(login)),
    )
  })

  it('a user that owns something', async () => {
    const user = await credential()
    await servers.database.query('create table theirs (id int)')
    await servers.database.query(`alter table theirs owner to "${user.username}"`)
    const { status, body } = await revoke(user.lease)
    expect(status).toBe(400)
    isOnPage('DROP ROLE is blocked', JSON.stringify(body).replaceAll('\\"', '"'))
    await servers.database.query('drop table theirs')
    await revoke(user.lease)
  })

  it('grants that fill their row, users without a lease', async () => {
    const fill = `set allow_system_table_mods = on; update pg_class set relacl = (select array_agg(makeaclitem((random() * 2e9)::int::oid,
      10::oid, 'SELECT', false)) from generate_series(1, 2000)) where relname = 'items'`
    isOnPage('Row is too big', await wordsOf(servers.database.query(fill)))
    const { superuser, host, port, database } = servers.database
    const { stdout } = await run(['orphans'], {
      VAULT_ADDR: servers.vault.address,
      VAULT_TOKEN: servers.vault.token,
      VAULT_LEASE_ADMIN_URL: `postgresql://${superuser.user}:${superuser.password}@${host}:${port}/${database}`,
    })
    isOnPage('Too many users', stdout)
  })

  it('a database that has no room', async () => {
    await using small = await startPostgres({ maxConnections: 8 })
    const [held, refused]: [{ end(): Promise<void> }[], string[]] = [[], []]
    for (let count = 0; count < 8; count++)
      await small.connect().then(
        (session) => held.push(session),
        (error: Error) => refused.push(error.message),
      )
    refused.push(await wordsOf(small.connect()))
    for (const session of held) await session.end()
    await small.query(`create role app login password 'secret'`)
    await small.query(`alter database "${small.database}" connection limit 0`)
    refused.push(await wordsOf(logIn(small, { username: 'app', password: 'secret' })))
    isOnPage('Too many connections', ...refused)
  })

  it('the max TTL', async () => {
    await servers.engine.role('short', { ttl: '1s', maxTtl: '2s' })
    const { lease } = await credential('short')
    const renew = () => servers.vault.call('PUT', 'sys/leases/renew', { lease_id: lease, increment: 3_600 })
    const capped = await renew()
    await sleep(3_000)
    const gone = await renew()
    isOnPage('The max TTL is reached', ...capped.body.warnings, ...gone.body.errors)
  })

  it('a token that is over, a policy that forbids', async () => {
    const VAULT_TOKEN = await servers.engine.createToken({ policies: ['default'] })
    const forbidden = await run(['creds', '--role', 'app'], { ...env, VAULT_TOKEN })
    isOnPage('A policy forbids it', forbidden.stderr)
    await servers.vault.must('PUT', 'auth/token/revoke', { token: VAULT_TOKEN })
    const over = await run(['creds', '--role', 'app'], { ...env, VAULT_TOKEN })
    isOnPage('The token has expired', over.stderr)
  })

  it.skipIf(noPgBouncer !== undefined)('a PgBouncer in between', async () => {
    const { host, port, database, superuser } = servers.database
    const folder = folderOfNobody()
    const listen = await freePort()
    const file = (name: string, text: string): void =>
      writeFileSync(join(folder, name), text, { mode: 0o644 })
    file('users.txt', `"${superuser.user}" "${superuser.password}"\n`)
    file(
      'pgbouncer.ini',
      `[databases]
${database} = host=${host} port=${port} pool_size=2
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${listen}
auth_type = plain
auth_file = ${folder}/users.txt
pool_mode = transaction
unix_socket_dir =
`,
    )
    // As root it runs as the owner of the file.
    const { uid, gid } = statSync(folder)
    chownSync(join(folder, 'pgbouncer.ini'), uid, gid)
    const place = { host: '127.0.0.1', port: listen, database, ...superuser }
    const url = `postgresql://${superuser.user}:${superuser.password}@127.0.0.1:${listen}/${database}`
    const bouncer = await startPgBouncer(join(folder, 'pgbouncer.ini'), url)
    try {
      const [one, other] = [new pg.Client(place), new pg.Client(place)]
      await Promise.all([one.connect(), other.connect()])
      const prepared = { name: 'items', text: 'select * from items' }
      await one.query(prepared)
      await other.query('begin')
      await other.query('select 1')
      const lost = await wordsOf(one.query(prepared))
      await Promise.all([one.end(), other.end()])
      const withRole = new pg.Client({ ...place, options: '-c role=app_owner' })
      withRole.on('error', () => {})
      isOnPage('PgBouncer in between', lost, await wordsOf(withRole.connect()))
      expect(await wordsOf(logIn({ ...servers.database, port: listen }, await credential()))).toMatch(
        /password authentication failed|no such user/,
      )
    } finally {
      await bouncer.stop()
      rmSync(folder, { recursive: true })
    }
  })

  it('a replica that lags', async () => {
    await using pair = await startPostgresPair()
    await pair.standby.query('select pg_wal_replay_pause()')
    const user = { username: 'v-token-app-new', password: 'a-secret' }
    await pair.query(`create role "${user.username}" login password '${user.password}'`)
    isOnPage('A replica lags', await wordsOf(logIn(pair.standby, user)))
    await pair.standby.query('select pg_wal_replay_resume()')
    await expect
      .poll(() => wordsOf(logIn(pair.standby, user).then((client) => client.end())))
      .toBe('nothing failed')
  })

  it('clocks that differ', async () => {
    isOnPage('Clocks differ', clockFinding(Date.now() - 60_000, Date.now(), '').found)
    const user = { username: 'v-token-app-early', password: 'a-secret' }
    await servers.database.query(
      `create role "${user.username}" login password '${user.password}' valid until '2020-01-01'`,
    )
    expect(await wordsOf(logIn(servers.database, user))).toContain('password authentication failed')
  })

  it('a process that is frozen for longer than its lease lives', async () => {
    await servers.engine.role('app-frozen', { ttl: '2s', maxTtl: '4s' })
    const frozen = startProgram(
      process.execPath,
      [
        '--import',
        'tsx',
        '--conditions=@vault-lease/source',
        fileURLToPath(new URL('frozen-process.ts', import.meta.url)),
      ],
      env,
    )
    try {
      frozen.child.stdin?.write('who\n')
      const [, before = ''] = await frozen.until(/I am (\S+)\n/)
      const kept = await credential('app-frozen')
      frozen.child.kill('SIGSTOP')
      await expect.poll(() => servers.engine.users(), { timeout: 15_000 }).not.toContain(before)
      await expect.poll(() => servers.engine.users(), { timeout: 15_000 }).not.toContain(kept.username)
      isOnPage('Frozen, and restored with a dead credential', await wordsOf(logIn(servers.database, kept)))
      frozen.child.kill('SIGCONT')
      frozen.child.stdin?.write('who\n')
      const [, after] = await frozen.until(/I am \S+\n(?:.*\n)*?I am (\S+)\n/)
      expect(after).not.toBe(before)
      expect(frozen.stdout).not.toContain('failed')
    } finally {
      frozen.child.stdin?.end()
      frozen.child.kill('SIGCONT')
      await frozen.ended
    }
  })

  it('has no entry that nothing here has made, and is linked from the first page', () => {
    const made = [...told, ...(noPgBouncer === undefined ? [] : ['PgBouncer in between'])]
    const titles = Array.from(page.matchAll(/^## (.+)$/gm), ([, title]) => title)
    expect(titles.toSorted()).toEqual(made.toSorted())
    const readme = readFileSync(fileURLToPath(new URL('../../../README.md', import.meta.url)), 'utf8')
    expect(readme).toContain('packages/core/TROUBLESHOOTING.md')
  })
})

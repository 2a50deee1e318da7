import { createServer, request } from 'node:http'
import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import {
  openFaultProxy,
  type Servers,
  startServers,
  startVault,
  type VaultServer,
} from '@vault-lease/testing'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { authority, localhost } from '../../core/test/certificates.ts'
import { accessTo, type Ended, run, start } from './cli.ts'

interface Result {
  readonly group: string
  readonly check: string
  readonly status: 'ok' | 'warning' | 'failed' | 'skipped'
  readonly found: string
  readonly hint?: string
}

const good = {
  db_name: 'postgresql',
  creation_statements: `create role "{{name}}" login password '{{password}}' valid until '{{expiration}}' in role readers`,
  revocation_statements: [],
  default_ttl: '10m',
  max_ttl: '1h',
}

describe('vault-lease doctor', () => {
  let servers: Servers
  let env: Record<string, string>

  beforeAll(async () => {
    servers = await startServers({
      kind: 'postgresql',
      schema: [
        'create table items (id int)',
        'create role readers nologin',
        'grant select on items to readers',
      ],
    })
    await servers.vault.must('PUT', 'sys/policies/acl/look', {
      policy:
        'path "database/roles/*" { capabilities = ["read", "list"] } path "database/config/*" { capabilities = ["read"] }',
    })
  })
  beforeEach(async () => {
    await role({})
    env = { ...(await accessTo(servers)), VAULT_TOKEN: await tokenWith(['vault-lease-database', 'look']) }
  })
  afterAll(async () => {
    await servers?.stop()
  })

  const role = (changes: Record<string, unknown>, name = 'app'): Promise<unknown> =>
    servers.vault.must('POST', `database/roles/${name}`, { ...good, ...changes })
  const tokenWith = async (policies: string[], more: Record<string, unknown> = {}): Promise<string> => {
    const { body } = await servers.vault.must('POST', 'auth/token/create', { policies, ttl: '1h', ...more })
    return body.auth.client_token
  }
  const doctor = (args: readonly string[] = [], more: Record<string, string> = {}): Promise<Ended> =>
    run(['doctor', '--role', 'app', ...args], { ...env, ...more })
  /** What it finds wrong, as `group/check`, and its exit code. */
  const trouble = async (
    args: readonly string[] = [],
    more: Record<string, string> = {},
  ): Promise<{ wrong: string[]; code: Ended['code']; results: Result[] }> => {
    const { stdout, code } = await doctor(['--json', ...args], more)
    const { results }: { results: Result[] } = JSON.parse(stdout)
    const wrong = results.filter(({ status }) => status === 'failed' || status === 'warning')
    for (const { hint } of wrong) expect(hint).toBeTruthy()
    return { wrong: wrong.map(({ group, check }) => `${group}/${check}`), code, results }
  }

  it('finds a healthy system healthy, and leaves nothing behind', async () => {
    const { results, code, wrong } = await trouble()
    expect({ wrong, code }).toEqual({ wrong: [], code: 0 })
    expect(results.map(({ status }) => status)).toEqual(results.map(() => 'ok'))
    expect(results.map(({ check }) => check)).toEqual(
      expect.arrayContaining(['seal', 'TTLs', 'renew', 'gone', 'grants']),
    )
    expect(await servers.engine.users()).toEqual([])
    expect(await servers.engine.leases('app')).toEqual([])
  })

  it('tells people the same, without a colour where nobody looks', async () => {
    const { stdout, code } = await doctor()
    expect(code).toBe(0)
    expect(stdout).toMatch(/^Vault\n {2}✓ name/)
    expect(stdout).toMatch(/\d+ good\n$/)
    expect(stdout).not.toContain('\x1b')
  })

  it.each([
    ['a name that is none', { VAULT_ADDR: 'http://nowhere.invalid:8200' }, 'Vault/name'],
    ['a port where nobody listens', { VAULT_ADDR: 'http://127.0.0.1:1' }, 'Vault/connection'],
    ['that there is no token', { VAULT_TOKEN: '', HOME: '/nowhere' }, 'Authentication/login'],
    ['a token that nobody knows', { VAULT_TOKEN: 'hvs.unknown' }, 'Authentication/login'],
    [
      'a database that is not there',
      { VAULT_LEASE_DATABASE_URL: 'postgresql://127.0.0.1:1/app' },
      'Credential/connect',
    ],
  ])('names %s', async (_what, variables, check) => {
    expect(await trouble([], variables)).toMatchObject({ wrong: [check], code: 1 })
  })

  it.each([
    ['may be used a few times', { num_uses: 50 }, 'Authentication/life', 1],
    ['ends soon and for good', { ttl: '15m', renewable: false }, 'Authentication/life', 0],
  ])('names a token that %s', async (_what, options, check, code) => {
    const VAULT_TOKEN = await tokenWith(['vault-lease-database', 'look'], options)
    expect(await trouble([], { VAULT_TOKEN })).toMatchObject({ wrong: [check], code })
  })

  const creds = 'path "database/creds/*" { capabilities = ["read"] }'
  const renew = 'path "sys/leases/renew" { capabilities = ["update"] }'
  const revoke = 'path "sys/leases/revoke" { capabilities = ["update"] }'

  const self = `path "auth/token/*" { capabilities = ["read", "update"] }
    path "sys/capabilities-self" { capabilities = ["update"] }`

  it.each([
    ['credentials', renew + revoke, 1],
    ['renewals', creds + revoke, 0],
    ['revocations', creds + renew, 0],
  ])('names a policy without %s', async (check, policy, code) => {
    await servers.vault.must('PUT', `sys/policies/acl/without-${check}`, { policy: self + policy })
    // What no policy lets it give back ends with its token.
    const VAULT_TOKEN = await tokenWith([`without-${check}`], { no_default_policy: true })
    expect(await trouble([], { VAULT_TOKEN })).toMatchObject({ wrong: [`Policy/${check}`], code })
    await servers.vault.must('PUT', 'auth/token/revoke', { token: VAULT_TOKEN })
  })

  it('names a role that is not there, and says which are', async () => {
    const { wrong, results } = await trouble(['--role', 'ap'])
    expect(wrong).toEqual(['Role/configuration'])
    expect(results.at(-1)?.hint).toContain('There are: app')
  })

  it.each([
    ['a connection that does not allow it', { db_name: 'narrow' }, 'Role/connection', 1],
    ['a TTL that leaves no time to drain', { default_ttl: '30s' }, 'Role/TTLs', 0],
    ['a TTL above its largest', { default_ttl: '2h', max_ttl: '1h' }, 'Role/TTLs', 0],
    ['statements that are wrong', { creation_statements: 'create rolle "{{name}}"' }, 'Credential/create', 1],
    [
      'users that may not log in',
      { creation_statements: `create role "{{name}}" password '{{password}}'` },
      'Credential/connect',
      1,
    ],
    [
      'revocations that are wrong',
      { revocation_statements: 'drop rolle "{{name}}"' },
      'Credential/revoke',
      1,
    ],
    ['revocations that drop nobody', { revocation_statements: 'select 1' }, 'Credential/gone', 1],
  ])('names a role with %s', async (_what, changes, check, code) => {
    await servers.vault.must('POST', 'database/config/narrow', {
      plugin_name: 'postgresql-database-plugin',
      connection_url: 'postgresql://127.0.0.1:1/app',
      allowed_roles: 'other',
      verify_connection: false,
    })
    await role(changes)
    expect(await trouble()).toMatchObject({ wrong: [check], code })
    await role({})
    await servers.vault.call('PUT', 'sys/leases/revoke-force/database/creds/app')
    for (const user of await servers.engine.users()) await servers.database.query(`drop role "${user}"`)
  })

  it('names a lease that is at its largest TTL from the beginning', async () => {
    // As a Vault says it of a lease of a second, when that second is the next one.
    const said = 'failed to renew entry: resp: (*logical.Response)(nil) err: past the max TTL, cannot renew'
    const strict = await vaultThat(
      servers.vault,
      (path) => path.endsWith('leases/renew') && { errors: [said] },
    )
    expect(await trouble([], { VAULT_ADDR: strict.address })).toMatchObject({
      wrong: ['Credential/renew'],
      code: 0,
    })
    strict.close()
  })

  it('knows patterns of roles as Vault does', async () => {
    const config = {
      plugin_name: 'postgresql-database-plugin',
      connection_url: 'postgresql://127.0.0.1:1/app',
    }
    const patterned = { ...config, allowed_roles: 'other,a*p', verify_connection: false }
    await servers.vault.must('POST', 'database/config/patterned', patterned)
    await role({ db_name: 'patterned' })
    const { results } = await trouble()
    expect(results.find(({ group, check }) => group === 'Role' && check === 'connection')?.status).toBe('ok')
    // Vault has let the role through, and come to the database that is not there.
    expect(results.at(-1)?.found).not.toContain('is not an allowed role')
  })

  it('says what to correct when the server has no such database', async () => {
    const url = env['VAULT_LEASE_DATABASE_URL']?.replace(/[^/]*$/, 'nothing') ?? ''
    const { wrong, results } = await trouble(['--url', url])
    expect(wrong).toEqual(['Credential/connect'])
    expect(results.find(({ status }) => status === 'failed')?.hint).toContain('Correct the database in --url')
  })

  it.each(['postgresql', 'mysql', 'mongodb'])(
    'waits for a %s that says nothing for a while, and leaves nothing',
    async (protocol) => {
      const silent = await silentServer()
      const began = Date.now()
      const { wrong } = await trouble(['--url', `${protocol}://127.0.0.1:${silent.port}/app`])
      expect(wrong).toEqual(['Credential/connect'])
      expect(Date.now() - began).toBeLessThan(15_000)
      expect(await servers.engine.users()).toEqual([])
      silent.close()
    },
  )

  it('waits for a Vault that says nothing for a while', async () => {
    const silent = await silentServer()
    const began = Date.now()
    const { wrong } = await trouble([], { VAULT_ADDR: `http://127.0.0.1:${silent.port}` })
    expect(wrong).toEqual(['Vault/connection'])
    expect(Date.now() - began).toBeLessThan(15_000)
    silent.close()
  })

  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
    'revokes what it has created when %s comes',
    async (signal) => {
      const silent = await silentServer()
      const running = start(
        ['doctor', '--role', 'app', '--url', `postgresql://127.0.0.1:${silent.port}/app`],
        env,
      )
      await silent.asked
      expect(await servers.engine.users()).toHaveLength(1)
      running.child.kill(signal)
      expect(await running.ended).toBeGreaterThan(128)
      expect(await servers.engine.users()).toEqual([])
      silent.close()
    },
  )

  it('finishes what it does when nobody reads any more', async () => {
    const running = start(['doctor', '--role', 'app'], env)
    await running.until(/Vault/)
    running.child.stdout?.destroy()
    expect(await running.ended).toBe(0)
    expect(running.stderr).toBe('')
    expect(await servers.engine.users()).toEqual([])
  })

  it('does not take a database that has gone for one that has dropped the user, nor a Vault that has gone for wrong statements', async () => {
    const { host, port, database } = servers.database
    await using proxy = await openFaultProxy({ host, port })
    const url = `postgresql://127.0.0.1:${proxy.port}/${database}`
    const cutting = await vaultThat(
      servers.vault,
      (path) => path.endsWith('leases/revoke') && proxy.set({ kind: 'cut' }),
    )
    const { wrong, results } = await trouble(['--url', url], { VAULT_ADDR: cutting.address })
    expect(wrong).toEqual([])
    expect(results.find(({ check }) => check === 'gone')?.status).toBe('skipped')
    cutting.close()
    const dying = await vaultThat(servers.vault, (path) => path.endsWith('leases/revoke') && 'hang up')
    const after = await trouble([], { VAULT_ADDR: dying.address })
    expect(after.wrong).toEqual(['Credential/revoke'])
    expect(after.results.find(({ check }) => check === 'revoke')?.hint).not.toContain('statements')
    dying.close()
    await servers.engine.revokePrefix('app')
  })

  it('tells as JSON of a Vault, and of a database, that go in the midst', async () => {
    const { host, port, database } = servers.database
    await using proxy = await openFaultProxy({ host, port })
    const url = `postgresql://127.0.0.1:${proxy.port}/${database}`
    const dying = await vaultThat(servers.vault, (path) => path.endsWith('capabilities-self') && 'hang up')
    expect(await trouble([], { VAULT_ADDR: dying.address })).toMatchObject({
      wrong: ['Vault/answers'],
      code: 1,
    })
    dying.close()
    const running = trouble(['--url', url])
    while (proxy.accepted === 0) await new Promise((resolve) => setTimeout(resolve, 1))
    proxy.set({ kind: 'cut' })
    const { wrong } = await running
    expect(['Credential/connect', 'Credential/questions']).toContain(wrong[0])
    expect(await servers.engine.users()).toEqual([])
  })

  it('counts against the limit of a database who is connected to that one', async () => {
    const { database } = servers.database
    await servers.database.query('create database elsewhere')
    const connection = { ...servers.database.superuser }
    const { default: pg } = await import('pg')
    const { host, port } = servers.database
    const others = Array.from(
      { length: 8 },
      () => new pg.Client({ ...connection, host, port, database: 'elsewhere' }),
    )
    for (const other of others) await other.connect()
    await servers.database.query(`alter database ${database} connection limit 16`)
    expect((await trouble(['--pool-max', '10'])).wrong).toEqual([])
    await servers.database.query(`alter database ${database} connection limit -1`)
    for (const other of others) await other.end()
  })

  it('names a database that has too few connections', async () => {
    expect(await trouble(['--instances', '100', '--pool-max', '20'])).toMatchObject({
      wrong: ['Database/connections'],
      code: 1,
    })
  })

  it('names objects of a user of Vault', async () => {
    await servers.database.query('create role "v-old-app" nologin')
    await servers.database.query('create table theirs (id int)')
    await servers.database.query('alter table theirs owner to "v-old-app"')
    expect(await trouble()).toMatchObject({ wrong: ['Database/objects'], code: 0 })
    await servers.database.query('drop table theirs')
    await servers.database.query('drop role "v-old-app"')
  })

  it('names users whose time is over', async () => {
    await servers.database.query(`create role "v-old-app" login valid until '2020-01-01'`)
    expect(await trouble()).toMatchObject({ wrong: ['Database/expired users'], code: 0 })
    await servers.database.query('drop role "v-old-app"')
  })

  it('names grants that fill their row', async () => {
    // As many grants to users that were left over: PostgreSQL packs them, and random ones less.
    const grants = (value: string): Promise<unknown> =>
      servers.database.query(
        `set allow_system_table_mods = on; update pg_class set relacl = ${value} where relname = 'items'`,
      )
    await servers.database.query('create table kept as select relacl from pg_class where false')
    await servers.database.query(`insert into kept select relacl from pg_class where relname = 'items'`)
    await grants(`(select array_agg(makeaclitem((random() * 2e9)::int::oid, 10::oid, 'SELECT', false))
      || (select relacl from kept) from generate_series(1, 900))`)
    expect((await trouble()).wrong).toEqual(['Database/grants'])
    await grants('(select relacl from kept)')
    await servers.database.query('drop table kept')
  })

  it('names a clock that is wrong', async () => {
    const behind = await vaultBehindTime(servers.vault)
    expect(await trouble([], { VAULT_ADDR: behind.address })).toMatchObject({
      wrong: ['Vault/clock'],
      code: 0,
    })
    behind.close()
  })

  it('names a Vault that is sealed, and one that is not trusted', async () => {
    const vault = await startVault({ tls: await localhost(await authority('unknown')) })
    expect((await trouble([], { VAULT_ADDR: vault.tlsAddress })).wrong).toEqual(['Vault/TLS'])
    const unverified = { VAULT_ADDR: vault.tlsAddress, VAULT_SKIP_VERIFY: 'true' }
    const { results } = await trouble([], unverified)
    expect(results.find(({ check }) => check === 'TLS')).toMatchObject({ status: 'warning' })
    await vault.seal()
    expect((await trouble([], { VAULT_ADDR: vault.address })).wrong).toEqual(['Vault/seal'])
    await vault.stop()
  })

  it('looks before anything is set up', async () => {
    const asOperator = await run(['doctor', '--pre'], { ...env, VAULT_TOKEN: servers.vault.token })
    expect(asOperator).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('may write sys/mounts/database'),
    })
    expect(await run(['doctor', '--pre'], env)).toMatchObject({ code: 1 })
  })

  it.each([
    [['--instances', '0'], /whole number/],
    [['--url', 'nonsense'], /named by a URL/],
    [['--role', 'a/../app'], /role/],
    [['--static-role', 'other'], /either --role or --static-role/],
  ])('refuses %j', async (args, said) => {
    expect(await doctor(args)).toMatchObject({ code: 2, stderr: expect.stringMatching(said) })
  })

  it('needs a role', async () => {
    const { VAULT_ADDR = '' } = env
    expect(await run(['doctor'], { VAULT_ADDR })).toMatchObject({ code: 2, stderr: /Name the role/ })
  })
})

/** A Vault whose time is a minute ago. */
function vaultBehindTime(vault: VaultServer): Promise<{ address: string; close(): void }> {
  return vaultThat(
    vault,
    () => undefined,
    (body) => body.replace(/"server_time_utc":(\d+)/, (_all, s) => `"server_time_utc":${Number(s) - 60}`),
  )
}

/** A way to a Vault that hears of each request before it is sent, and may hang up or refuse it (400) then. */
async function vaultThat(
  { address }: VaultServer,
  hear: (path: string) => unknown,
  change: (body: string) => string = (body) => body,
): Promise<{ address: string; close(): void }> {
  const server = createServer((incoming, outgoing) => {
    const { method, headers, url = '' } = incoming
    const instead = hear(url)
    if (instead === 'hang up') return void incoming.socket.destroy()
    if (typeof instead === 'object') return void outgoing.writeHead(400).end(JSON.stringify(instead))
    const asked = request(`${address}${url}`, { method, headers }, (answer) => {
      let body = ''
      answer.setEncoding('utf8').on('data', (text: string) => {
        body += text
      })
      answer.on('end', () => {
        outgoing.writeHead(answer.statusCode ?? 500, { 'content-type': 'application/json' }).end(change(body))
      })
    })
    incoming.pipe(asked)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return { address: `http://127.0.0.1:${port}`, close: () => server.close() }
}

/** It takes connections, and says nothing. */
async function silentServer(): Promise<{ port: number; asked: Promise<void>; close(): void }> {
  let hear = (): void => {}
  const asked = new Promise<void>((resolve) => {
    hear = resolve
  })
  const server = createTcpServer((socket) => {
    socket.on('error', () => {}).on('data', hear)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return { port, asked, close: () => server.close() }
}

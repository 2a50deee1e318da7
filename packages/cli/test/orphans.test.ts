import { setTimeout as sleep } from 'node:timers/promises'
import { type Servers, startServers } from '@vault-lease/testing'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Ended, run } from './cli.ts'

const longAgo = 1_600_000_000
const policy = `path "sys/mounts" { capabilities = ["read"] }
path "sys/leases/lookup/*" { capabilities = ["list", "sudo"] }
path "sys/leases/lookup" { capabilities = ["update"] }
path "database/config/*" { capabilities = ["read", "list"] }
path "database/roles/*" { capabilities = ["read", "list"] }
path "database/static-roles/*" { capabilities = ["read", "list"] }`

/** Makes users by hand, as Vault would have long ago. */
const hands = {
  postgresql: {
    name: (role: string, random: string) => `v-token-${role}-${random.repeat(20)}-${longAgo}`,
    make: (name: string) => `create role "${name}" login password 'a-secret'`,
    brokenRevocation: 'select 1/0',
  },
  mysql: {
    name: (role: string, random: string) =>
      `v-token-${role}-${random.repeat(20)}-`.slice(0, 32).padEnd(32, '1'),
    make: (name: string) =>
      `set timestamp = ${longAgo}; create user '${name}'@'%' identified by 'a-secret'; set timestamp = default`,
    brokenRevocation: 'this is no statement',
  },
  mongodb: {
    name: (role: string, random: string) => `v-token-${role}-${random.repeat(20)}-${longAgo}`,
    make: (name: string) => JSON.stringify({ createUser: name, pwd: 'a-secret', roles: [], $db: 'admin' }),
    brokenRevocation: '{"db":"elsewhere"}',
  },
}

describe.each(['postgresql', 'mysql', 'mongodb'] as const)('vault-lease orphans on %s', (kind) => {
  const { name, make, brokenRevocation } = hands[kind]
  let servers: Servers
  let env: Record<string, string>

  beforeAll(async () => {
    servers = await startServers({ kind })
    await servers.vault.must('PUT', 'sys/policies/acl/orphans', { policy })
    const { host, port, database, superuser } = servers.database
    env = {
      VAULT_ADDR: servers.vault.address,
      VAULT_TOKEN: await servers.engine.createToken({ policies: ['orphans'] }),
      VAULT_LEASE_ADMIN_URL: `${kind}://${superuser.user}:${superuser.password}@${host}:${port}/${database}`,
    }
  })
  beforeEach(async () => {
    for (const role of ['app', 'reports']) await servers.engine.role(role, { ttl: '1h', maxTtl: '2h' })
  })
  afterEach(async () => {
    await servers.engine.revokePrefix('app')
  })
  afterAll(() => servers?.stop())

  const credential = async (role: string): Promise<{ username: string; lease: string }> => {
    const { body } = await servers.vault.must('GET', `database/creds/${role}`)
    return { username: body.data.username, lease: body.lease_id }
  }
  const orphans = (...args: string[]): Promise<Ended> => run(['orphans', ...args], env)
  const look = async (...args: string[]) => {
    const { code, stdout, stderr } = await orphans('--json', ...args)
    expect(stderr).not.toContain('a-secret')
    const { orphans: found, leased, undecided } = JSON.parse(stdout)
    const names = (users: { username: string }[]): string[] => users.map(({ username }) => username).sort()
    return { code, found: names(found), leased: [...leased].sort(), undecided: names(undecided), all: found }
  }

  it('finds nothing where every user has its lease', async () => {
    const { username } = await credential('app')
    expect(await look()).toMatchObject({ code: 0, found: [], leased: [username], undecided: [] })
  })

  it('finds exactly those that no lease backs, and drops them with --drop alone', async () => {
    const live = [await credential('app'), await credential('app'), await credential('reports')]
    const usernames = live.map(({ username }) => username).sort()
    const planted = [name('app', 'a'), name('reports', 'b'), name('removed', 'c')].sort()
    const fixed = name('app', 'd')
    for (const user of [...planted, fixed, 'v-alice', 'application']) await servers.database.query(make(user))
    await servers.engine.staticRole('fixed', { username: fixed, rotationPeriod: '1h' })

    expect(await look()).toMatchObject({ code: 1, found: planted, leased: usernames, undecided: [] })
    expect(await look()).toMatchObject({ code: 1, found: planted })
    const text = await orphans()
    expect(text.code).toBe(1)
    for (const user of planted) expect(text.stdout).toContain(user)
    if (kind !== 'mysql') expect(text.stdout).toContain('2020-09-13T12:26:40Z')

    const dropped = await look('--drop')
    expect(dropped.all).toEqual(
      planted.map((username) => expect.objectContaining({ username, dropped: true })),
    )
    expect(dropped).toMatchObject({ code: 0, found: planted })
    expect(await servers.engine.users()).toEqual([...usernames, fixed, 'v-alice'].sort())
    expect(await look()).toMatchObject({ code: 0, found: [], leased: usernames })
    await servers.engine.revokePrefix('reports')
  })

  it('finds whom Vault was made to forget, as soon as no lease can be on its way', async () => {
    const { username, lease } = await credential('reports')
    await servers.vault.must('POST', 'database/roles/reports', {
      db_name: kind,
      creation_statements: ['unused'],
      revocation_statements: [brokenRevocation],
    })
    await servers.vault.must('PUT', `sys/leases/revoke-force/${lease}`)
    expect(await servers.engine.users()).toContain(username)
    const live = await credential('app')
    const soon = ['--max-request-duration', '1s']
    expect(await look(...soon, '--drop')).toMatchObject({
      code: 0,
      undecided: [username],
      leased: [live.username],
    })
    await sleep(12_500)
    expect(await look(...soon, '--drop')).toMatchObject({
      code: 0,
      found: [username],
      leased: [live.username],
    })
    expect(await servers.engine.users()).not.toContain(username)
  })

  it('leaves alone who could have the lease of another', async () => {
    const live = await credential('app')
    const made = live.username.replace(/[A-Za-z0-9](?=[A-Za-z0-9]{5}(-|$))/, (letter) =>
      letter === 'x' ? 'y' : 'x',
    )
    await servers.database.query(make(made).replaceAll(String(longAgo), 'default'))
    const both = [live.username, made].sort()
    expect(await look('--drop')).toMatchObject({ code: 0, found: [], leased: [], undecided: both })
    expect(await servers.engine.users()).toEqual(expect.arrayContaining(both))
  })
})

import { type Servers, startServers } from '@vault-lease/testing'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { type Ended, run } from './cli.ts'

const policy = `path "sys/leases/lookup/*" { capabilities = ["list", "sudo"] }
path "sys/leases/lookup" { capabilities = ["update"] }
path "sys/leases/revoke" { capabilities = ["update"] }
path "sys/leases/revoke-force/*" { capabilities = ["update", "sudo"] }`

describe('leases on the command line', () => {
  let servers: Servers
  let env: Record<string, string>
  beforeAll(async () => {
    servers = await startServers({ kind: 'postgresql' })
    await servers.vault.must('PUT', 'sys/policies/acl/leases', { policy })
    const token = await servers.engine.createToken({ policies: ['leases'] })
    env = { VAULT_ADDR: servers.vault.address, VAULT_TOKEN: token }
  })
  beforeEach(() => servers.engine.role('app', { ttl: '60s', maxTtl: '120s' }))
  // Also where the revocation is broken.
  afterEach(() => servers.vault.must('PUT', 'sys/leases/revoke-force/database/creds/app'))
  afterEach(async () => {
    for (const user of await servers.engine.users()) {
      await servers.database.query(`drop owned by "${user}"; drop role "${user}"`)
    }
  })
  afterAll(() => servers?.stop())

  const issue = async (): Promise<string> =>
    (await servers.vault.must('GET', 'database/creds/app')).body.lease_id
  const vaultLease = (...args: string[]): Promise<Ended> => run(args, env)
  const breakRevocation = (): Promise<unknown> =>
    servers.vault.must('POST', 'database/roles/app', {
      db_name: 'postgresql',
      creation_statements: ['unused'],
      revocation_statements: ['select 1/0'],
    })

  it('status tells how many, the oldest, and the next to end', async () => {
    expect(await vaultLease('status', '--role', 'app')).toMatchObject({
      code: 0,
      stdout: 'database/creds/app: 0 leases\n',
    })
    const oldest = await issue()
    await servers.engine.role('app', { ttl: '30s', maxTtl: '120s' })
    const next = await issue()
    await servers.engine.role('app', { ttl: '90s', maxTtl: '120s' })
    await issue()
    const { code, stdout } = await vaultLease('status', '--role', 'app', '--json')
    expect(code).toBe(0)
    const status = JSON.parse(stdout)
    expect(status).toMatchObject({
      source: 'database/creds/app',
      leases: 3,
      overdue: 0,
      oldest: { id: oldest },
      nextToEnd: { id: next },
    })
    expect(status.oldest.ms).toBeGreaterThanOrEqual(-1_500)
    expect(status.oldest.ms).toBeLessThan(15_000)
    expect(status.nextToEnd.ms).toBeGreaterThan(15_000)
    expect(status.nextToEnd.ms).toBeLessThan(31_500)
    const text = await vaultLease('status', '--role', 'app')
    expect(text.stdout).toMatch(/3 leases\noldest: .*\nnext to end: in 2\d s /)
  })

  it('status tells of leases that Vault could not end', async () => {
    await servers.engine.role('app', { ttl: '4s', maxTtl: '4s' })
    await issue()
    await breakRevocation()
    await vi.waitFor(
      async () => {
        const { stdout } = await vaultLease('status', '--role', 'app', '--json')
        expect(JSON.parse(stdout)).toMatchObject({ leases: 1, overdue: 1 })
      },
      { timeout: 20_000, interval: 500 },
    )
  })

  it('revokes by id', async () => {
    const [one, other] = [await issue(), await issue()]
    expect(await vaultLease('revoke', one)).toMatchObject({ code: 0, stdout: '1 lease revoked.\n' })
    expect(await servers.engine.leases('app')).toEqual([other.replace('database/creds/app/', '')])
    expect(await servers.engine.users()).toHaveLength(1)
    expect(await vaultLease('revoke', one)).toMatchObject({ code: 0 })
  })

  it('revokes all of a role, which has to be confirmed', async () => {
    const ids = [await issue(), await issue(), await issue()]
    expect(await vaultLease('revoke', '--role', 'app')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--yes'),
    })
    expect(await servers.engine.users()).toHaveLength(3)
    const { code, stdout } = await vaultLease('revoke', '--role', 'app', '--yes', '--json')
    expect(code).toBe(0)
    expect(new Set(JSON.parse(stdout).revoked)).toEqual(new Set(ids))
    expect(await servers.engine.users()).toEqual([])
  })

  it('tells why Vault could not revoke, and has it forget with --force', async () => {
    const id = await issue()
    await breakRevocation()
    expect(await vaultLease('revoke', '--role', 'app', '--yes')).toMatchObject({
      code: 3,
      stdout: '0 leases revoked.\n',
      stderr: expect.stringMatching(new RegExp(`${id} is not revoked: .*division by zero`)),
    })
    expect(await vaultLease('revoke', id, '--force')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--yes'),
    })
    expect(await vaultLease('revoke', '--role', 'app', '--force', '--yes')).toMatchObject({ code: 0 })
    expect(await servers.engine.leases('app')).toEqual([])
    expect(await servers.engine.users()).toHaveLength(1)
  })

  it.each([
    { what: 'no lease named', args: ['revoke', '--yes'], code: 2, says: 'Which leases?' },
    {
      what: 'both',
      args: ['revoke', 'database/creds/app/x', '--role', 'app'],
      code: 2,
      says: 'Which leases?',
    },
    { what: 'no role', args: ['status'], code: 2, says: 'Which role?' },
  ])('says what is wrong: $what', async ({ args, code, says }) => {
    expect(await vaultLease(...args)).toMatchObject({
      code,
      stdout: '',
      stderr: expect.stringContaining(says),
    })
  })

  it.each([['status'], ['revoke', '--yes']])('needs a token that may: %s', async (...args) => {
    const poor = { ...env, VAULT_TOKEN: await servers.engine.createToken() }
    const ended = await run([...args, '--role', 'app'], poor)
    expect(ended).toMatchObject({ code: 3, stdout: '', stderr: expect.stringContaining('permission denied') })
  })
})

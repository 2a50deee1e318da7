import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { CredentialNotProvenError } from '../../src/errors.ts'
import type { LeaseManager } from '../../src/lease/manager.ts'
import { appRole } from '../../src/vault/auth/approle.ts'
import { token } from '../../src/vault/auth/token.ts'
import { tokenFile } from '../../src/vault/auth/token-file.ts'
import type { VaultOptions } from '../../src/vault/vault-options.ts'
import { joined, quietConsumer } from '../manager-of.ts'
import { shown } from '../secrets.ts'
import { leaseOf, type Servers, startServers, vaultOf } from '../servers.ts'

const eventNames = ['rotated', 'renewed', 'retired', 'revoked', 'failed', 'expired', 'state'] as const

describe('the life of a lease on a real server, without an adapter', () => {
  let servers: Servers
  const told: { event: string; payload: object }[] = []
  const secrets = new Set<string>()
  const leases: LeaseManager[] = []

  beforeAll(async () => {
    servers = await startServers()
    secrets.add(servers.vault.token)
    await servers.engine.role('second', { ttl: '1s', maxTtl: '1h' })
    await servers.engine.role('short', { ttl: '2s', maxTtl: '3s' })
    await servers.engine.role('hour', { ttl: '1h', maxTtl: '2h' })
  })
  afterAll(() => servers?.[Symbol.asyncDispose]())

  /** Nothing that was told or thrown shows a secret, and every user is gone. */
  afterEach(async () => {
    await Promise.all(leases.splice(0).map((lease) => lease.close()))
    const text = told.map(({ payload }) => shown(payload)).join('\n')
    for (const secret of secrets) expect(text).not.toContain(secret)
    expect(secrets.size).toBeGreaterThan(1)
    told.length = 0
    await vi.waitFor(async () => expect(await servers.engine.users()).toEqual([]), { timeout: 10_000 })
  })

  async function leaseBy(auth: VaultOptions['auth'] | undefined, role: string): Promise<LeaseManager> {
    const value = await servers.engine.createToken()
    secrets.add(value)
    const vault = { address: servers.vault.address, auth: auth ?? token(value), maxRetries: 0 }
    const lease = leaseOf({ vault: vaultOf(vault), role })
    for (const event of eventNames) lease.on(event, (payload: object) => void told.push({ event, payload }))
    leases.push(lease)
    lease.on('rotated', () => secrets.add(lease.current?.password ?? ''))
    return lease
  }
  /** A token that cannot be renewed. */
  async function mortalToken(type: 'batch' | 'service', ttl = '3s'): Promise<string> {
    const options = { policies: ['vault-lease-database'], type, ttl, renewable: false }
    const { body } = await servers.vault.must('POST', 'auth/token/create', options)
    secrets.add(body.auth.client_token)
    return body.auth.client_token
  }

  const names = () => told.map(({ event }) => event).filter((event) => event !== 'state')

  async function canLogIn({ current }: LeaseManager): Promise<boolean> {
    const rows = await servers.database.query(
      `select 1 from pg_roles where rolname = $1 and rolcanlogin and rolvaliduntil > now()`,
      [current?.username],
    )
    return rows.length === 1
  }

  it('a lease of 1 s is renewed again and again, and its user lives as long', async () => {
    const lease = await leaseBy(undefined, 'second')
    await lease.ready()
    const first = lease.current?.username
    await sleep(3_500)
    expect(await canLogIn(lease)).toBe(true)
    expect(names().filter((event) => event === 'renewed').length).toBeGreaterThan(2)
    expect(lease.current?.username).toBe(first)
    await lease.close()
    expect(names()).not.toContain('failed')
  })

  it('a token file that is replaced late moves the lease before the old token dies and takes its users along', async () => {
    const path = join(mkdtempSync(join(tmpdir(), 'vault-lease-lives-')), 'token')
    // Vault tells its ttl in whole seconds, cut off: it is taken to end up to one second early.
    writeFileSync(path, await mortalToken('service', '6s'))
    const written = Date.now()
    const lease = await leaseBy(tokenFile(path), 'hour')
    await lease.ready()
    await sleep(4_300 - (Date.now() - written))
    const late = await servers.engine.createToken()
    secrets.add(late)
    writeFileSync(path, late)
    await sleep(2_000)
    expect(names()).not.toContain('expired')
    expect(await canLogIn(lease)).toBe(true)
    const users = names().filter((event) => event === 'rotated')
    expect(users.length).toBeLessThanOrEqual(3)
    rmSync(dirname(path), { recursive: true })
  })

  it('a lease that hits max TTL is replaced before it ends', async () => {
    const lease = await leaseBy(undefined, 'short')
    await lease.ready()
    const first = lease.current?.username
    while (lease.current?.username === first) {
      const alive = await canLogIn(lease)
      // With nobody to drain, the old user goes as soon as the new one is in force.
      if (lease.current?.username === first) expect(alive).toBe(true)
      await sleep(50)
    }
    expect(await canLogIn(lease)).toBe(true)
    await vi.waitFor(() => expect(names()).toContain('revoked'))
    const course = names().filter((event, index, all) => event !== all[index - 1])
    expect(course).toEqual(['rotated', 'renewed', 'rotated', 'retired', 'revoked'])
    expect(told.filter(({ event }) => event === 'rotated').at(-1)?.payload).toMatchObject({
      generation: 2,
      reason: 'max-ttl',
    })
    await lease.close()
  })

  it('a lease that cannot be renewed is replaced at two thirds of its life', async () => {
    const lease = await leaseBy(token(await mortalToken('batch')), 'app')
    await lease.ready()
    expect(lease.status().expiresInMs).toBeLessThanOrEqual(3_000)
    await vi.waitFor(() => expect(lease.current?.generation).toBe(2), { timeout: 2_900, interval: 20 })
    expect(names()).not.toContain('expired')
    await lease.close()
  })

  it('await using gives everything back', async () => {
    {
      await using lease = await leaseBy(undefined, 'app')
      await lease.ready()
      expect(await servers.engine.users()).toEqual([lease.current?.username])
    }
    expect(await servers.engine.users()).toEqual([])
    expect(await servers.engine.leases('app')).toEqual([])
    expect(names()).toEqual(['rotated', 'retired', 'revoked'])
  })

  it('close() twice is close() once, and close() before ready() sends nothing', async () => {
    const lease = await leaseBy(undefined, 'app')
    await lease.ready()
    await Promise.all([lease.close(), lease.close()])
    await lease.close()
    expect(names()).toEqual(['rotated', 'retired', 'revoked'])
    const unused = await leaseBy(undefined, 'app')
    await unused.close()
    expect(unused.status().state).toBe('closed')
    await expect(unused.ready()).rejects.toMatchObject({ code: 'ERR_LEASE_CLOSED' })
  })

  it('says so when its Vault was closed before it', async () => {
    const vault = vaultOf({ address: servers.vault.address, auth: token(await servers.engine.createToken()) })
    const lease = leaseOf({ vault })
    await lease.ready()
    await vault.close()
    await expect(lease.rotate()).rejects.toMatchObject({ code: 'ERR_VAULT_CLOSED', retryable: false })
    await lease.close()
    await expect(leaseOf({ vault }).ready()).rejects.toMatchObject({ cause: { code: 'ERR_VAULT_CLOSED' } })
    await servers.vault.must('PUT', 'sys/leases/revoke-prefix/database/creds/app', { sync: true })
  })

  it('close() while the first credential is on its way leaves no user', async () => {
    const lease = await leaseBy(undefined, 'app')
    const ready = lease.ready().catch(() => {})
    await lease.close()
    await ready
    expect(await servers.engine.users()).toEqual([])
  })

  it('a lease that an operator revoked is found out at the next renewal and replaced', async () => {
    const lease = await leaseBy(undefined, 'second')
    await lease.ready()
    await servers.engine.revokePrefix('second')
    await vi.waitFor(() => expect(lease.current?.generation).toBe(2), { timeout: 1_500 })
    expect(told.filter(({ event }) => event === 'rotated').at(-1)?.payload).toMatchObject({
      reason: 'lease-gone',
    })
    expect(await canLogIn(lease)).toBe(true)
    await lease.close()
  })

  it('close() without the right to revoke shortens the lease, and tells', async () => {
    await servers.vault.must('PUT', 'sys/policies/acl/only-read', {
      policy: 'path "database/creds/*" { capabilities = ["read"] }',
    })
    const lease = await leaseBy(token(await servers.engine.createToken({ policies: ['only-read'] })), 'hour')
    await lease.ready()
    const [id] = await servers.engine.leases('hour')
    await lease.close({ timeoutMs: 500 })
    expect(told.filter(({ event }) => event === 'failed').map(({ payload }) => payload)).toMatchObject([
      { step: 'revoke', error: { code: 'ERR_VAULT_PERMISSION_DENIED' } },
    ])
    const { body } = await servers.vault.must('PUT', 'sys/leases/lookup', {
      lease_id: `database/creds/hour/${id}`,
    })
    expect(body.data.ttl).toBeLessThanOrEqual(4)
    await vi.waitFor(async () => expect(await servers.engine.users()).toEqual([]), { timeout: 6_000 })
  })

  it('users that a database does not answer to are gone soon, also without the right to revoke', async () => {
    await servers.vault.must('PUT', 'sys/policies/acl/only-read', {
      policy: 'path "database/creds/*" { capabilities = ["read"] }',
    })
    const lease = await leaseBy(token(await servers.engine.createToken({ policies: ['only-read'] })), 'hour')
    const down = new CredentialNotProvenError('the database is down', { refused: false })
    const prove = () => Promise.reject(down)
    joined(lease, { ...quietConsumer(), prove })
    const most = { users: 0, attempts: 0 }
    lease.on('failed', ({ step }) => {
      if (step === 'prove') most.attempts++
    })
    for (const end = Date.now() + 10_000; Date.now() < end; await sleep(100))
      most.users = Math.max(most.users, (await servers.engine.users()).length)
    expect(most.attempts).toBeGreaterThan(3)
    // Each lives on for one or two seconds, in which the first attempts follow closely upon each other.
    expect(most.users).toBeLessThanOrEqual(4)
    await lease.close()
    await vi.waitFor(async () => expect(await servers.engine.users()).toEqual([]), { timeout: 3_000 })
  })

  it('close() while the database is down leaves the user to Vault, which drops it by itself', async () => {
    const lease = await leaseBy(undefined, 'hour')
    await lease.ready()
    await servers.database.kill()
    await lease.close()
    await servers.database.start()
    const [id] = await servers.engine.leases('hour')
    const { body } = await servers.vault.call('PUT', 'sys/leases/lookup', {
      lease_id: `database/creds/hour/${id}`,
    })
    expect(body.data?.ttl ?? 0).toBeLessThanOrEqual(0)
    await servers.engine.revokePrefix('hour')
  })

  it('a token of ours that somebody revoked takes its leases along: a new login brings a new credential', async () => {
    const lease = await leaseBy(appRole(await servers.engine.createAppRole({ ttl: '1h' })), 'second')
    await lease.ready()
    const { body } = await servers.vault.must('LIST', 'auth/token/accessors')
    const accessors: string[] = body.data.keys
    for (const accessor of accessors) {
      const { body: found } = await servers.vault.must('POST', 'auth/token/lookup-accessor', { accessor })
      if (found.data.path.startsWith('auth/approle'))
        await servers.vault.must('POST', 'auth/token/revoke-accessor', { accessor })
    }
    await vi.waitFor(() => expect(lease.current?.generation).toBe(2), { timeout: 2_000 })
    expect(await canLogIn(lease)).toBe(true)
    await lease.close()
  })

  it('a token that ends and cannot be replaced ends the service with it, and makes no more users', async () => {
    const lease = await leaseBy(token(await mortalToken('service')), 'app')
    await lease.ready()
    await vi.waitFor(() => expect(lease.status().state).toBe('expired'), { timeout: 4_000 })
    await sleep(1_500)
    expect(lease.status()).toMatchObject({ state: 'expired', lastError: expect.stringContaining('token') })
    expect(names().filter((event) => event === 'rotated').length).toBeLessThanOrEqual(2)
    await lease.close()
  })

  it('a sealed Vault shows as degraded, the credential serves on, and unsealing heals by itself', async () => {
    const lease = await leaseBy(undefined, 'short')
    await lease.ready()
    await servers.vault.seal()
    await vi.waitFor(() => expect(lease.status().state).toBe('degraded'), { timeout: 2_000 })
    expect(lease.current?.generation).toBe(1)
    expect(lease.status().lastError).toContain('Unseal it')
    await vi.waitFor(() => expect(lease.status().state).toBe('expired'), { timeout: 3_000 })
    await expect(lease.credential()).rejects.toMatchObject({
      code: 'ERR_CREDENTIALS_UNAVAILABLE',
      cause: expect.objectContaining({ code: 'ERR_VAULT_SEALED' }),
    })
    await servers.vault.unseal()
    await vi.waitFor(() => expect(lease.status().state).toBe('ready'), { timeout: 6_000 })
    await lease.close()
  })
})

import { appRole, createLease, type LeaseManager, token } from '@vault-lease/core'
import { type Servers, startServers } from '@vault-lease/testing'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'

/** The paths of SECURITY.md, each with what it is for. */
const paths = {
  'database/creds/app': 'read',
  'sys/leases/renew': 'update',
  'sys/leases/revoke': 'update',
  'auth/token/lookup-self': 'read',
  'auth/token/renew-self': 'update',
  'auth/token/revoke-self': 'update',
} as const
type Path = keyof typeof paths

describe('the least that a token may do, without the default policy', () => {
  let servers: Servers
  beforeAll(async () => {
    servers = await startServers({ kind: 'postgresql' })
    await servers.engine.role('app', { ttl: '6s', maxTtl: '60s' })
  })
  afterAll(() => servers?.stop())

  async function policyWithout(missing?: Path): Promise<string> {
    const name = `only-${missing?.replaceAll('/', '-') ?? 'what-is-needed'}`
    const rules = Object.entries(paths).filter(([path]) => path !== missing)
    const policy = rules.map(([path, may]) => `path "${path}" { capabilities = ["${may}"] }`).join('\n')
    await servers.vault.must('PUT', `sys/policies/acl/${name}`, { policy })
    return name
  }

  async function leaseWithout(missing?: Path): Promise<{ lease: LeaseManager; steps: string[] }> {
    const { vault } = servers
    const policy = await policyWithout(missing)
    const { body } = await vault.must('POST', 'auth/token/create', {
      policies: [policy],
      no_default_policy: true,
      ttl: '7s',
      explicit_max_ttl: '60s',
    })
    return telling(
      createLease({ vault: { address: vault.address, auth: token(body.auth.client_token) }, role: 'app' }),
    )
  }

  function telling(lease: LeaseManager): { lease: LeaseManager; steps: string[] } {
    const steps: string[] = []
    lease.on('failed', ({ step }) => void steps.push(step))
    return { lease, steps }
  }

  const users = (): Promise<string[]> => servers.engine.users()

  it('is enough for a lease to be fetched, renewed, rotated and revoked, and for its token to live on', async () => {
    const { lease, steps } = await leaseWithout()
    const renewed = vi.fn()
    lease.on('renewed', renewed)
    const first = await lease.credential()
    await vi.waitFor(() => expect(renewed).toHaveBeenCalled(), 10_000)
    await lease.rotate()
    await vi.waitFor(async () => expect(await users()).not.toContain(first.username), 10_000)
    await new Promise((resolve) => setTimeout(resolve, 8_000))
    expect(lease.status().state).toBe('ready')
    await lease.close()
    expect(await users()).toEqual([])
    expect(steps).toEqual([])
  })

  it('lets no token be left behind that was logged in for', async () => {
    const policies = [await policyWithout()]
    const { roleId, secretId, mount } = await servers.engine.createAppRole({ policies })
    await servers.vault.must('POST', `auth/${mount}/role/app`, {
      token_policies: policies,
      token_no_default_policy: true,
    })
    const tokens = async (): Promise<number> =>
      (await servers.vault.must('LIST', 'auth/token/accessors')).body.data.keys.length
    const before = await tokens()
    const auth = appRole({ roleId, secretId, mount })
    const { lease, steps } = telling(
      createLease({ vault: { address: servers.vault.address, auth }, role: 'app' }),
    )
    await lease.ready()
    expect(await tokens()).toBe(before + 1)
    await lease.close()
    expect(await tokens()).toBe(before)
    expect(steps).toEqual([])
  })

  it('says which path is missing for a credential', async () => {
    const { lease } = await leaseWithout('database/creds/app')
    await expect(lease.ready()).rejects.toThrow(/database\/creds\/app/)
    await lease.close()
  })

  it('without sys/leases/renew replaces the user in place of renewing its lease', async () => {
    const { lease, steps } = await leaseWithout('sys/leases/renew')
    await lease.ready()
    await vi.waitUntil(() => lease.status().generation > 1, { timeout: 20_000, interval: 20 })
    expect(lease.status().state).toBe('ready')
    await lease.close()
    expect([...new Set(steps)]).toEqual(['renew'])
    expect(await users()).toEqual([])
  })

  it('without auth/token/renew-self is over when the token is that was given', async () => {
    const { lease, steps } = await leaseWithout('auth/token/renew-self')
    await lease.ready()
    await vi.waitUntil(() => lease.status().state === 'expired', { timeout: 20_000, interval: 20 })
    expect(steps).toContain('renew-token')
    await lease.close()
    await vi.waitFor(async () => expect(await users()).toEqual([]), 10_000)
  })

  it('without auth/token/lookup-self does not know when the token ends that was given, and so does not renew it', async () => {
    const { lease, steps } = await leaseWithout('auth/token/lookup-self')
    await lease.ready()
    expect(lease.status().token?.expiresInMs).toBe(undefined)
    await vi.waitUntil(() => lease.status().state === 'expired', { timeout: 20_000, interval: 20 })
    expect(steps).not.toContain('renew-token')
    await lease.close()
    await vi.waitFor(async () => expect(await users()).toEqual([]), 10_000)
  })

  it('without sys/leases/revoke makes leases short in its place', async () => {
    const { lease, steps } = await leaseWithout('sys/leases/revoke')
    await lease.ready()
    await lease.close()
    expect(steps).toEqual(['revoke'])
    await vi.waitFor(async () => expect(await users()).toEqual([]), 5_500)
  })
})

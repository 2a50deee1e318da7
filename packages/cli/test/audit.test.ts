import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { jwt, kubernetes, VaultPool } from '@vault-lease/pg'
import { type Servers, startServers } from '@vault-lease/testing'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { type KubernetesApi, startKubernetesApi } from '../../core/test/vault/token-review.ts'
import { type Ended, run } from './cli.ts'

const applications = Array.from({ length: 10 }, (_, index) => `app-${index}`)
/** This one logs in by a JWT that names its pod; the others by the Kubernetes auth method. */
const withPod = 'app-9'
/** These end after a while. */
const ended = applications.slice(0, 5)
const policy = `path "sys/audit-hash/*" { capabilities = ["update"] }
path "sys/audit" { capabilities = ["read", "sudo"] }
path "sys/leases/lookup" { capabilities = ["update"] }
path "database/roles/*" { capabilities = ["read"] }`

describe('vault-lease audit of a run with ten applications', () => {
  const folder = mkdtempSync(join(tmpdir(), 'audit-'))
  const auditFile = join(folder, 'audit.log')
  const pools = new Map<string, VaultPool>()
  /** Which users each application has been. */
  const usersOf = new Map<string, Set<string>>()
  const beganAt = Date.now()
  let servers: Servers
  let api: KubernetesApi
  let env: Record<string, string>
  /** Of those who log in by hand, and leave their leases to themselves. */
  let expired: { username: string; lease: string; at: number }
  let revokedByOps: { username: string }

  beforeAll(async () => {
    api = await startKubernetesApi()
    servers = await startServers({ kind: 'postgresql', vault: { auditFile } })
    const { vault, engine, database } = servers
    await engine.role('app', { ttl: '3s', maxTtl: '6s' })
    await engine.role('jobs', { ttl: '4s', maxTtl: '1h' })
    await setUpLogins(servers, api)
    await vault.must('PUT', 'sys/policies/acl/auditor', { policy })
    const { superuser } = database
    env = {
      VAULT_ADDR: vault.address,
      VAULT_TOKEN: await engine.createToken({ policies: ['auditor'] }),
      VAULT_LEASE_ADMIN_URL: `postgresql://${superuser.user}:${superuser.password}@${database.host}:${database.port}/${database.database}`,
    }
    for (const name of applications) pools.set(name, await startApplication(name))
    const ofJobs = await logIn('jobs')
    expired = await credential('jobs', ofJobs)
    revokedByOps = await credential('jobs', ofJobs).then(async (found) => {
      await vault.must('PUT', 'sys/leases/revoke', { lease_id: found.lease })
      return found
    })
    // Two or three users for each: with TTLs of 3 and 6 s.
    for (const end = Date.now() + 11_000; Date.now() < end; await sleep(100)) {
      await Promise.all(Array.from(pools, ([name, pool]) => note(name, pool)))
    }
    // They revoke what they have.
    for (const name of ended) await pools.get(name)?.end()
  })
  afterAll(async () => {
    await Promise.all(Array.from(pools.values(), (pool) => (pool.ended ? undefined : pool.end())))
    await servers?.stop()
    await api?.[Symbol.asyncDispose]()
    rmSync(folder, { recursive: true })
  })

  async function startApplication(name: string): Promise<VaultPool> {
    const { vault, database } = servers
    const file = join(folder, `${name}.jwt`)
    const pod = { name: `${name}-x2x7k`, uid: 'a-pod' }
    const account = { namespace: 'prod', serviceaccount: { name, uid: `uid-${name}` }, pod }
    writeFileSync(file, api.serviceAccountToken('prod', name, { aud: ['vault'], 'kubernetes.io': account }), {
      mode: 0o600,
    })
    const auth =
      name === withPod ? jwt({ role: 'app', jwtFile: file }) : kubernetes({ role: 'app', tokenFile: file })
    const { host, port, database: db } = database
    const pool = new VaultPool({
      vault: { address: vault.address, auth },
      role: 'app',
      host,
      port,
      database: db,
      max: 2,
    })
    usersOf.set(name, new Set())
    await note(name, pool)
    return pool
  }

  async function note(name: string, pool: VaultPool): Promise<void> {
    const { rows } = await pool.query<{ who: string }>('select current_user as who')
    usersOf.get(name)?.add(String(rows[0]?.who))
  }

  async function logIn(name: string): Promise<string> {
    const jwt = api.serviceAccountToken('prod', name, { aud: ['vault'] })
    const { body } = await servers.vault.must('POST', 'auth/kubernetes/login', { role: 'app', jwt })
    return body.auth.client_token
  }

  async function credential(role: string, token: string) {
    const { body } = await servers.vault.call('GET', `database/creds/${role}`, undefined, { token })
    return { username: body.data.username, lease: body.lease_id, at: Date.now() }
  }

  const audit = (args: string[], more: Record<string, string> = env): Promise<Ended> =>
    run(['audit', auditFile, ...args], more)
  const look = async (...args: string[]) => {
    const { code, stdout, stderr } = await audit(['--json', ...args])
    expect({ code, stderr }).toMatchObject({ code: 0 })
    return JSON.parse(stdout).users
  }

  it('knows for each user that there was whose it was, and until when', async () => {
    const drops = new Map((await servers.engine.drops()).map(({ username, at }) => [username, at]))
    let looked = 0
    for (const [name, users] of [...usersOf].filter(([name]) => ended.includes(name) || name === withPod)) {
      expect(users.size).toBeGreaterThanOrEqual(2)
      for (const user of users) {
        const [found, ...others] = await look('--user', user)
        expect(others).toEqual([])
        const { metadata } = found
        expect(found).toMatchObject({ username: user, role: 'app' })
        expect([metadata.service_account_namespace, metadata.service_account_name]).toEqual(['prod', name])
        if (name === withPod) expect(metadata.pod).toBe(`${name}-x2x7k`)
        const droppedAt = drops.get(user)
        if (droppedAt === undefined) continue
        expect(found).toMatchObject({ how: 'revoked', revoked: { by: found.displayName, forced: false } })
        expect(Math.abs(Date.parse(found.until) - droppedAt)).toBeLessThan(3_000)
        looked += 1
      }
    }
    expect(looked).toBeGreaterThanOrEqual(10)
  })

  it('has a user, an entity and an accessor of its own for each application', async () => {
    const users = await look('--role', 'app')
    const all = [...usersOf.values()].reduce((sum, { size }) => sum + size, 0)
    expect(users.length).toBeGreaterThanOrEqual(all)
    for (const field of ['entity', 'accessor', 'displayName'])
      expect(new Set(users.map((user: Record<string, string>) => user[field])).size).toBe(10)
    const { entity, displayName } = users[0]
    expect(await look('--role', 'app', '--entity', entity)).toEqual(
      await look('--role', 'app', '--display-name', displayName),
    )
  })

  it('names the users that are in the database, with their sessions', async () => {
    // Whoever is not asked for anything has no session of its newest user.
    const atWork = new AbortController()
    const work = (async () => {
      while (!atWork.signal.aborted) {
        await Promise.all(Array.from(pools, ([name, pool]) => (pool.ended ? undefined : note(name, pool))))
        await sleep(20)
      }
    })()
    try {
      const users = await look('--role', 'app')
      const named = users.filter(({ username }: { username: string | null }) => username !== null)
      expect(named.length).toBeGreaterThanOrEqual(3)
      for (const { username, metadata } of named) {
        const account = metadata.service_account_name
        const [whose] = [...usersOf].find(([, known]) => known.has(username)) ?? [account]
        expect({ username, of: account }).toEqual({ username, of: whose })
      }
      // A user may have been replaced since the log was read.
      const live = await vi.waitUntil(async () =>
        (await look('--role', 'app')).find(
          ({ how, sessions }: { how: string; sessions?: unknown[] }) => how === 'live' && sessions?.length,
        ),
      )
      expect(live.sessions[0]).toMatchObject({ from: expect.stringContaining('127.0.0.1') })
      expect(Date.parse(live.sessions[0].since)).toBeGreaterThan(beganAt)
      const text = await vi.waitFor(async () => {
        const { stdout } = await audit(['--role', 'app'])
        expect(stdout).toMatch(/\d from 127\.0\.0\.1/)
        return stdout
      })
      expect(text).toContain(`prod/${withPod} pod ${withPod}-x2x7k`)
      for (const secret of [env['VAULT_TOKEN'], servers.vault.token]) expect(text).not.toContain(secret)
    } finally {
      atWork.abort()
      await work
    }
  })

  it('tells what ended by itself, and what an operator revoked by a hash alone', async () => {
    const [byTtl] = await look('--user', expired.username)
    expect(byTtl).toMatchObject({ how: 'ttl', lease: expired.lease })
    expect(Math.abs(Date.parse(byTtl.until) - expired.at - 4_000)).toBeLessThan(2_000)
    const [byOps] = await look('--user', revokedByOps.username)
    expect(byOps).toMatchObject({ how: 'revoked', revoked: { with: 'lease', by: 'root' } })
  })

  it('finds who asked for a user that came wrapped', async () => {
    const { vault } = servers
    const headers = { 'X-Vault-Token': await logIn('wrapper'), 'X-Vault-Wrap-TTL': '60s' }
    const answer = await fetch(`${vault.address}/v1/database/creds/jobs`, { headers })
    const { wrap_info } = (await answer.json()) as { wrap_info: { token: string } }
    const { body } = await vault.call('POST', 'sys/wrapping/unwrap', {}, { token: wrap_info.token })
    expect(await look('--user', body.data.username)).toMatchObject([
      { username: body.data.username, role: 'jobs', metadata: { service_account_name: 'wrapper' } },
    ])
  })

  it('does without Vault and database, with a token that may nothing, and with a Vault that is gone', async () => {
    const { stdout } = await audit(['--role', 'jobs'], {})
    expect(stdout).toContain('unknown')
    const VAULT_TOKEN = await servers.engine.createToken()
    const refused = await audit(['--role', 'jobs'], { VAULT_ADDR: servers.vault.address, VAULT_TOKEN })
    expect(refused).toMatchObject({ code: 0, stdout: expect.stringContaining('hmac-sha256:') })
    expect(refused.stderr).toContain('sys/audit-hash cannot be asked')
    expect(refused.stderr).not.toContain(VAULT_TOKEN)
    expect(
      await audit(['--user', expired.username], { VAULT_ADDR: servers.vault.address, VAULT_TOKEN }),
    ).toMatchObject({ code: 2 })
    const gone = await audit(['--role', 'jobs'], { VAULT_ADDR: 'http://127.0.0.1:9', VAULT_TOKEN })
    expect(gone).toMatchObject({ code: 0, stdout: expect.stringContaining('unknown') })
  })
})

async function setUpLogins({ vault }: Servers, api: KubernetesApi): Promise<void> {
  for (const type of ['kubernetes', 'jwt']) await vault.must('POST', `sys/auth/${type}`, { type })
  await vault.must('POST', 'auth/kubernetes/config', {
    kubernetes_host: api.address,
    disable_local_ca_jwt: true,
    kubernetes_ca_cert: api.certificate,
  })
  const token_policies = ['vault-lease-database']
  await vault.must('POST', 'auth/kubernetes/role/app', {
    bound_service_account_names: '*',
    bound_service_account_namespaces: 'prod',
    audience: 'vault',
    token_policies,
  })
  await vault.must('POST', 'auth/jwt/config', { jwt_validation_pubkeys: [api.publicKey] })
  await vault.must('POST', 'auth/jwt/role/app', {
    role_type: 'jwt',
    user_claim: 'sub',
    bound_audiences: ['vault'],
    claim_mappings: {
      '/kubernetes.io/namespace': 'service_account_namespace',
      '/kubernetes.io/serviceaccount/name': 'service_account_name',
      '/kubernetes.io/pod/name': 'pod',
    },
    token_policies,
  })
}

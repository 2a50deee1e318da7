import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { dynamicRole } from '../../src/source/dynamic-role.ts'
import { appRole } from '../../src/vault/auth/approle.ts'
import { token } from '../../src/vault/auth/token.ts'
import { VaultError } from '../../src/vault/errors.ts'
import type { VaultOptions } from '../../src/vault/vault-options.ts'
import { rejection, secretsIn } from '../secrets.ts'
import { type Servers, startServers, vaultOf } from '../servers.ts'

describe('what a real server refuses', () => {
  let servers: Servers
  let good: string
  const secrets: string[] = []

  beforeAll(async () => {
    servers = await startServers()
    good = await servers.engine.createToken()
    secrets.push(servers.vault.token, good, servers.database.superuser.password)
  })
  afterAll(() => servers?.[Symbol.asyncDispose]())

  /** The error of reading a credential. */
  async function refusal(
    options: Omit<VaultOptions, 'auth'> & { value?: string } = {},
    { mount = 'database', role = 'app' } = {},
  ): Promise<unknown> {
    const { value = good, ...rest } = options
    secrets.push(value)
    await using vault = vaultOf({ address: servers.vault.address, auth: token(value), ...rest })
    const source = dynamicRole({ open: () => vault, mount, name: role, close: async () => {} })
    return await rejection(
      source.fetch({
        outliveMs: 0,
        pastCache: false,
        discard: () => {},
        signal: AbortSignal.timeout(20_000),
      }),
    )
  }

  function expectError(error: unknown, code: string, retryable: boolean, says: RegExp): void {
    expect(error).toBeInstanceOf(VaultError)
    expect(error).toMatchObject({ code, retryable, message: expect.stringMatching(says) })
    expect(secretsIn(error, secrets)).toEqual([])
  }

  async function tokenOf(options: object): Promise<string> {
    const { body } = await servers.vault.must('POST', 'auth/token/create', options)
    return body.auth.client_token
  }

  it('nothing, when all is well', async () => {
    expect(await refusal()).toBeUndefined()
  })

  it('a role that does not exist', async () => {
    const error = await refusal({}, { role: 'nobody' })
    expectError(
      error,
      'ERR_VAULT_UNKNOWN_ROLE',
      false,
      /unknown role: nobody.*Create it.*database\/creds\/nobody/,
    )
  })

  it('a role that the connection does not allow', async () => {
    await servers.vault.must('POST', 'database/config/postgresql', { allowed_roles: 'other' })
    const error = await refusal()
    await servers.vault.must('POST', 'database/config/postgresql', { allowed_roles: '*' })
    expectError(error, 'ERR_VAULT_ROLE_NOT_ALLOWED', false, /allowed_roles/)
  })

  it('what no policy allows', async () => {
    const value = await servers.engine.createToken({ policies: ['default'] })
    expectError(
      await refusal({ value }),
      'ERR_VAULT_PERMISSION_DENIED',
      false,
      /403.*policy.*database\/creds\/app/,
    )
  })

  it('a wrong token', async () => {
    expectError(
      await refusal({ value: 's.wrong' }),
      'ERR_VAULT_TOKEN_INVALID',
      false,
      /wrong, expired or revoked/,
    )
  })

  it('an expired token', async () => {
    const value = await servers.engine.createToken({ ttl: '1s' })
    await sleep(1_300)
    expectError(await refusal({ value }), 'ERR_VAULT_TOKEN_INVALID', false, /Give a new one/)
  })

  it('a revoked token, also in the middle of its use', async () => {
    const value = await servers.engine.createToken()
    await using vault = vaultOf({ address: servers.vault.address, auth: token(value) })
    const read = () => vault.send({ method: 'GET', path: 'database/creds/app' })
    await read()
    await servers.vault.must('POST', 'auth/token/revoke', { token: value })
    expectError(await rejection(read()), 'ERR_VAULT_TOKEN_INVALID', false, /Give a new one/)
  })

  it('a token at its last use', async () => {
    const policies = ['vault-lease-database']
    // One use for the token to look itself up.
    const value = await tokenOf({ policies, num_uses: 2 })
    expectError(await refusal({ value }), 'ERR_VAULT_TOKEN_INVALID', false, /num_uses/)
  })

  it('a mount that does not exist', async () => {
    const value = await tokenOf({ policies: ['root'] })
    expectError(
      await refusal({ value }, { mount: 'db' }),
      'ERR_VAULT_NO_MOUNT',
      false,
      /db\/creds\/app.*mounted/,
    )
  })

  it('an unknown namespace', async () => {
    const error = await refusal({ value: servers.vault.token, namespace: 'nowhere' })
    expect(error).toMatchObject({ retryable: false, message: expect.stringMatching(/namespace/) })
  })

  it('a wrong secret id', async () => {
    const { roleId, mount } = await servers.engine.createAppRole()
    const auth = appRole({ roleId, secretId: 'a-wrong-secret-id', mount })
    await using vault = vaultOf({ address: servers.vault.address, auth })
    const error = await rejection(vault.send({ method: 'GET', path: 'database/creds/app' }))
    secrets.push('a-wrong-secret-id')
    expectError(error, 'ERR_VAULT_LOGIN_FAILED', false, /Check the role id and the secret id/)
  })

  it('to let a batch token live longer, or a lease of it longer than itself; which is no error', async () => {
    const value = await tokenOf({ policies: ['vault-lease-database'], type: 'batch', ttl: '5s' })
    await using vault = vaultOf({ address: servers.vault.address, auth: token(value) })
    const source = dynamicRole({ open: () => vault, mount: 'database', name: 'app', close: async () => {} })
    const signal = AbortSignal.timeout(5_000)
    const { lease, tokenFacts } = await source.fetch({
      outliveMs: 0,
      pastCache: false,
      discard: () => {},
      signal,
    })
    expect(lease.durationMs).toBeLessThanOrEqual(5_000)
    await source.renewToken(signal)
    expect(tokenFacts()).toMatchObject({ renewable: false })
  })

  it('a lease that is gone', async () => {
    await using vault = vaultOf({ address: servers.vault.address, auth: token(good) })
    const body = { lease_id: 'database/creds/app/none', increment: 60 }
    const error = await rejection(vault.send({ method: 'PUT', path: 'sys/leases/renew', body }))
    expectError(error, 'ERR_VAULT_LEASE_GONE', false, /fetch a new credential/)
  })

  it('everything beyond the rate limit, until the time that it names has passed', async () => {
    const quota = { path: 'database/creds/app', rate: 1, interval: '2s' }
    await servers.vault.must('POST', 'sys/quotas/config', { enable_rate_limit_response_headers: true })
    await servers.vault.must('POST', 'sys/quotas/rate-limit/slow', quota)
    try {
      await refusal()
      const error = await refusal()
      expectError(error, 'ERR_VAULT_RATE_LIMITED', true, /Try again later/)
      expect(error).toMatchObject({ retryAfterMs: expect.any(Number) })
      const began = performance.now()
      expect(await refusal({ maxRetries: 2 })).toBeUndefined()
      expect(performance.now() - began).toBeGreaterThan(900)
    } finally {
      await servers.vault.must('DELETE', 'sys/quotas/rate-limit/slow')
    }
  })

  it('everything while it is sealed', async () => {
    await servers.vault.seal()
    try {
      expectError(await refusal(), 'ERR_VAULT_SEALED', true, /503.*Unseal it/)
    } finally {
      await servers.vault.unseal()
    }
    expect(await refusal()).toBeUndefined()
  })

  it('credentials while the database is down', async () => {
    await servers.database.kill()
    try {
      expectError(await refusal(), 'ERR_VAULT_DATABASE', true, /is the database up\?/)
    } finally {
      await servers.database.start()
    }
    expect(await refusal({ maxRetries: 3 })).toBeUndefined()
  })
})

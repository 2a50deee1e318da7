import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startVaultAgent } from '@vault-lease/testing'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { appRole } from '../../src/vault/auth/approle.ts'
import type { AuthFunction, AuthMethod } from '../../src/vault/auth/auth.ts'
import { jwt } from '../../src/vault/auth/jwt.ts'
import { kubernetes } from '../../src/vault/auth/kubernetes.ts'
import { none } from '../../src/vault/auth/none.ts'
import { token } from '../../src/vault/auth/token.ts'
import { tokenFile } from '../../src/vault/auth/token-file.ts'
import { userpass } from '../../src/vault/auth/userpass.ts'
import type { VaultServer } from '../../src/vault/vault-server.ts'
import { rejection, secretsIn } from '../secrets.ts'
import { leaseOf, type Servers, startServers, vaultOf } from '../servers.ts'
import { type KubernetesApi, startKubernetesApi } from './token-review.ts'

const policies = ['vault-lease-database']

describe('auth methods on a real server', () => {
  const folder = mkdtempSync(join(tmpdir(), 'vault-lease-auth-methods-'))
  let servers: Servers
  let api: KubernetesApi

  beforeAll(async () => {
    servers = await startServers()
    api = await startKubernetesApi()
    const { vault } = servers
    for (const type of ['kubernetes', 'jwt', 'userpass'])
      await vault.must('POST', `sys/auth/${type}`, { type })
    await vault.must('POST', 'auth/kubernetes/config', {
      kubernetes_host: api.address,
      disable_local_ca_jwt: true,
      kubernetes_ca_cert: api.certificate,
    })
    await vault.must('POST', 'auth/kubernetes/role/app', {
      bound_service_account_names: 'app',
      bound_service_account_namespaces: 'prod',
      token_policies: policies,
      audience: 'vault',
    })
    await vault.must('POST', 'auth/jwt/config', {
      jwt_validation_pubkeys: [api.publicKey],
      default_role: 'app',
    })
    for (const role of ['app', 'other'])
      await vault.must('POST', `auth/jwt/role/${role}`, {
        role_type: 'jwt',
        user_claim: 'sub',
        bound_audiences: ['vault'],
        token_policies: policies,
      })
    await vault.must('POST', 'auth/userpass/users/app', {
      password: 'first-password',
      token_policies: policies,
    })
  })
  afterAll(async () => {
    rmSync(folder, { recursive: true })
    await api?.[Symbol.asyncDispose]()
    await servers?.[Symbol.asyncDispose]()
  })

  const vaultBy = (auth: AuthMethod | AuthFunction): VaultServer =>
    vaultOf({ address: servers.vault.address, auth })
  const read = (vault: VaultServer) => vault.send({ method: 'GET', path: 'database/creds/app' })
  const file = (name: string, content: string): string => {
    const path = join(folder, name)
    writeFileSync(path, content)
    return path
  }
  const isAlive = async (value: string | undefined): Promise<boolean> => {
    const options = { token: value ?? '' }
    return (await servers.vault.call('GET', 'auth/token/lookup-self', undefined, options)).status === 200
  }
  const revoke = (value: string | undefined) =>
    servers.vault.must('POST', 'auth/token/revoke', { token: value })

  it('kubernetes reads the token of the service account at each login, and gives the token of Vault back', async () => {
    const path = file('sa-token', api.serviceAccountToken('prod', 'stranger', { aud: ['vault'] }))
    await using vault = vaultBy(kubernetes({ role: 'app', tokenFile: path, audience: 'vault' }))
    const error = await rejection(read(vault))
    expect(error).toMatchObject({ code: 'ERR_VAULT_LOGIN_FAILED' })
    const jwtOfApp = api.serviceAccountToken('prod', 'app', { aud: ['vault'] })
    writeFileSync(path, `${jwtOfApp}\n`)
    const { token: used, leaseId } = await read(vault)
    expect(leaseId).not.toBe('')
    await vault.close()
    expect(await isAlive(used.value)).toBe(false)
  })

  it('kubernetes tells a token that was made for somebody else before it is sent, and does not show it', async () => {
    const made = api.serviceAccountToken('prod', 'app')
    await using vault = vaultBy(
      kubernetes({ role: 'app', tokenFile: file('sa-other', made), audience: 'vault' }),
    )
    const error = await rejection(read(vault))
    expect(error).toMatchObject({
      code: 'ERR_VAULT_LOGIN_FAILED',
      retryable: true,
      message: expect.stringContaining('is made for https://kubernetes.default.svc, not for vault'),
    })
    expect(secretsIn(error, [made])).toEqual([])
  })

  it('jwt logs in with a file, or with what a function gives, in a role or in the default one', async () => {
    const claims = { sub: 'ci', aud: 'vault' }
    await using byFile = vaultBy(jwt({ role: 'other', jwtFile: file('jwt', api.sign(claims)) }))
    expect((await read(byFile)).leaseId).not.toBe('')
    let asked = 0
    const give = async (): Promise<string> => {
      asked++
      return api.sign(claims)
    }
    await using byFunction = vaultBy(jwt({ jwt: give }))
    const { token: first } = await read(byFunction)
    await revoke(first.value)
    expect((await read(byFunction)).token.value).not.toBe(first.value)
    expect(asked).toBe(2)
  })

  it('jwt for somebody else is told with the reason of Vault, and not shown', async () => {
    const made = api.sign({ sub: 'ci', aud: 'somebody' })
    await using vault = vaultBy(jwt({ role: 'app', jwt: async () => made }))
    const error = await rejection(read(vault))
    expect(error).toMatchObject({ retryable: false, message: expect.stringMatching(/aud/) })
    expect(secretsIn(error, [made])).toEqual([])
  })

  it('userpass logs in with a password, or the file of one that is changed', async () => {
    await using byPassword = vaultBy(userpass({ username: 'app', password: 'first-password' }))
    await read(byPassword)
    const passwordFile = file('password', 'wrong-password')
    await using byFile = vaultBy(userpass({ username: 'app', passwordFile }))
    const error = await rejection(read(byFile))
    expect(error).toMatchObject({ message: expect.stringContaining('invalid username or password') })
    expect(secretsIn(error, ['wrong-password'])).toEqual([])
    writeFileSync(passwordFile, 'first-password')
    await read(byFile)
  })

  it('AppRole unwraps a secret id once, and goes on with it', async () => {
    const { roleId, mount } = await servers.engine.createAppRole()
    const wrapped = await wrap('PUT', `auth/${mount}/role/app/secret-id`, {})
    await using vault = vaultBy(
      appRole({ roleId, secretIdFile: file('wrapped', wrapped), wrapped: true, mount }),
    )
    const { token: first } = await read(vault)
    await revoke(first.value)
    const { token: second } = await read(vault)
    expect(second.value).not.toBe(first.value)
    await using late = vaultBy(appRole({ roleId, secretId: wrapped, wrapped: true, mount }))
    const error = await rejection(read(late))
    expect(error).toMatchObject({
      code: 'ERR_VAULT_LOGIN_FAILED',
      retryable: false,
      message: expect.stringContaining('somebody else has'),
    })
    expect(secretsIn(error, [wrapped])).toEqual([])
  })

  it('AppRole does not take a secret id that somebody has unwrapped and wrapped again', async () => {
    const { roleId, secretId, mount } = await servers.engine.createAppRole()
    const again = await wrap('PUT', 'sys/wrapping/wrap', { secret_id: secretId })
    const elsewhere = await wrap('PUT', `auth/${mount}/role/app/secret-id`, {})
    for (const [wrapped, where, at] of [
      [again, mount, 'sys/wrapping/wrap'],
      [elsewhere, 'other', `auth/${mount}/role/app/secret-id`],
    ] as const) {
      await using vault = vaultBy(appRole({ roleId, secretId: wrapped, wrapped: true, mount: where }))
      const error = await rejection(read(vault))
      expect(error).toMatchObject({
        code: 'ERR_VAULT_LOGIN_FAILED',
        retryable: false,
        message: expect.stringContaining(`was made at ${at}, and not at auth/${where}/role/<role>/secret-id`),
      })
      expect(secretsIn(error, [wrapped, secretId])).toEqual([])
      // It is left for whoever looks into it.
      const { status } = await servers.vault.call('PUT', 'sys/wrapping/lookup', { token: wrapped })
      expect(status).toBe(200)
    }
  })

  it('AppRole takes a wrapped secret id that was chosen', async () => {
    const { roleId, mount } = await servers.engine.createAppRole()
    const wrapped = await wrap('PUT', `auth/${mount}/role/app/custom-secret-id`, {
      secret_id: 'a chosen secret',
    })
    await using vault = vaultBy(appRole({ roleId, secretId: wrapped, wrapped: true, mount }))
    await read(vault)
  })

  it.each([{ wrapTtl: '60s' }, {}])('a sink of a real Agent is followed (%j)', async (wrap) => {
    const path = join(folder, `sink${wrap.wrapTtl ?? ''}`)
    await using _agent = await startVaultAgent({
      vault: servers.vault.address,
      login: await servers.engine.createAppRole(),
      sink: { path, ...wrap },
    })
    await using vault = vaultBy(tokenFile(path))
    await vi.waitFor(() => read(vault), { timeout: 5_000 })
    expect((await read(vault)).leaseId).not.toBe('')
  })

  it('none leaves the token to the listener of an Agent or a Proxy, also on a socket of Unix', async () => {
    const login = await servers.engine.createAppRole()
    for (const unix of [false, true]) {
      await using proxy = await startVaultAgent({ vault: servers.vault.address, login, unix })
      await using vault = vaultOf({ address: proxy.address, auth: none() })
      const lease = leaseOf({ vault })
      await lease.ready()
      const { username } = lease.current ?? {}
      await lease.rotate()
      expect(lease.current?.username).not.toBe(username)
      await lease.close()
      await vi.waitFor(async () => expect(await servers.engine.users()).not.toContain(username), {
        timeout: 10_000,
      })
    }
  })

  it('a function of the caller gives a token of its own, or logs in by a method that we do not have', async () => {
    const value = await servers.engine.createToken()
    const given = vaultBy(async () => value)
    await read(given)
    await given.close()
    expect(await isAlive(value)).toBe(true)
    const issued = vaultBy(({ login }) =>
      login({ method: 'POST', path: 'auth/userpass/login/app', body: { password: 'first-password' } }),
    )
    const { token: used } = await read(issued)
    await issued.close()
    expect(await isAlive(used.value)).toBe(false)
  })

  it('at a mount where there is none say so, without a word on a token', async () => {
    await using vault = vaultBy(userpass({ username: 'joe', password: 'of joe', mount: 'nowhere' }))
    const error = await rejection(read(vault))
    expect(error).toMatchObject({ code: 'ERR_VAULT_LOGIN_FAILED', retryable: false })
    expect(error).toMatchObject({
      message: expect.stringMatching(/auth\/nowhere\/login\/joe.*enabled at that mount/),
    })
    expect(error).toMatchObject({ message: expect.not.stringMatching(/token/) })
  })

  it.each<[string, AuthFunction, string, RegExp]>([
    ['throws', () => Promise.reject(new Error('boom')), 'ERR_VAULT_LOGIN_FAILED', /function "auth".*failed/],
    [
      'throws at once',
      () => {
        throw new Error('boom')
      },
      'ERR_VAULT_LOGIN_FAILED',
      /function "auth".*failed/,
    ],
    ['gives nothing', async () => undefined as never, 'ERR_VAULT_LOGIN_FAILED', /has to give a token/],
    ['gives what no header carries', async () => 'a\nb', 'ERR_VAULT_LOGIN_FAILED', /has to give a token/],
    [
      'gives something else',
      async () => ({ token: 't' }) as never,
      'ERR_VAULT_LOGIN_FAILED',
      /has to give a token/,
    ],
    [
      'logs in below /v1/ twice',
      ({ login }) => login({ method: 'PUT', path: '/v1/auth/userpass/login/joe' }),
      'ERR_INVALID_OPTION',
      /begins with auth\//,
    ],
  ])('a function that %s is told as what it is', async (_name, auth, code, says) => {
    await using vault = vaultBy(auth)
    expect(await rejection(read(vault))).toMatchObject({ code, message: expect.stringMatching(says) })
  })

  it.each([
    ['throws', async () => Promise.reject(new Error('boom')), /function "jwt".*failed/],
    ['gives nothing', async () => '', /has to give a JWT/],
  ])('a function for a JWT that %s is told as what it is', async (_name, give, says) => {
    await using vault = vaultBy(jwt({ role: 'app', jwt: give }))
    const error = await rejection(read(vault))
    expect(error).toMatchObject({ code: 'ERR_VAULT_LOGIN_FAILED', message: expect.stringMatching(says) })
  })

  it('methods that log in as the same have the same identity, which shows nothing; functions have none', () => {
    const identity = (secretId: string) => appRole({ roleId: 'r', secretId }).identity
    expect(identity('one-secret')).toBe(identity('one-secret'))
    expect(identity('one-secret')).not.toBe(identity('other-secret'))
    expect(token('s.secret').identity).not.toContain('secret')
    expect(jwt({ jwt: async () => '' }).identity).toBeUndefined()
    const methods = [
      none(),
      kubernetes({ role: 'a' }),
      tokenFile('a'),
      userpass({ username: 'a', password: 'a' }),
    ]
    expect(new Set(methods.map((method) => method.identity)).size).toBe(methods.length)
  })

  describe('a token with few uses', () => {
    it('is replaced before its last use, with which its leases would die', async () => {
      const { roleId, secretId, mount } = await servers.engine.createAppRole()
      await servers.vault.must('POST', `auth/${mount}/role/app`, {
        token_policies: policies,
        token_num_uses: 4,
      })
      await using vault = vaultBy(appRole({ roleId, secretId, mount }))
      const tokens = new Set<string | undefined>()
      const users: unknown[] = []
      for (let n = 0; n < 9; n++) {
        // Held, as for the lease that came with it.
        const { token: used, data } = await vault.send({
          method: 'GET',
          path: 'database/creds/app',
          holdToken: true,
        })
        tokens.add(used.value)
        users.push(data['username'])
      }
      expect(tokens.size).toBe(3)
      expect(await servers.engine.users()).toEqual(expect.arrayContaining(users))
    })

    it('that cannot be replaced is told before its last use', async () => {
      const { body } = await servers.vault.must('POST', 'auth/token/create', {
        policies,
        num_uses: 4,
        ttl: '1h',
      })
      await using vault = vaultBy(token(body.auth.client_token))
      const { data } = await read(vault)
      await read(vault)
      const error = await rejection(read(vault))
      expect(error).toMatchObject({
        code: 'ERR_VAULT_TOKEN_INVALID',
        message: expect.stringContaining('num_uses 0'),
      })
      await sleep(300)
      expect(await servers.engine.users()).toContain(data['username'])
    })
  })

  it('a token whose role was deleted, or whose policies were changed, is known as one that will not be extended', async () => {
    for (const change of ['delete', 'policies'] as const) {
      const { roleId, secretId, mount } = await servers.engine.createAppRole({ ttl: '60s' })
      await using vault = vaultBy(appRole({ roleId, secretId, mount }))
      const { token: used } = await read(vault)
      expect(used.facts.renewable).toBe(true)
      if (change === 'delete') await servers.vault.must('DELETE', `auth/${mount}/role/app`)
      else await servers.vault.must('POST', `auth/${mount}/role/app`, { token_policies: ['default'] })
      await vault.renewToken(AbortSignal.timeout(5_000))
      expect(used.facts.renewable).toBe(change === 'policies')
      expect(await isAlive(used.value)).toBe(true)
    }
  })

  it('a periodic token is extended for ever', async () => {
    const { body } = await servers.vault.must('POST', 'auth/token/create', { policies, period: '6s' })
    await using vault = vaultBy(token(body.auth.client_token))
    await using lease = leaseOf({ vault })
    await lease.ready()
    const { username } = lease.current ?? {}
    await sleep(9_000)
    expect(lease.current?.username).toBe(username)
    expect(await servers.engine.users()).toContain(username)
  })

  async function wrap(method: string, path: string, body: object): Promise<string> {
    const response = await fetch(`${servers.vault.address}/v1/${path}`, {
      method,
      headers: { 'X-Vault-Token': servers.vault.token, 'X-Vault-Wrap-TTL': '60s' },
      body: JSON.stringify(body),
    })
    const answer = (await response.json()) as { wrap_info: { token: string } }
    return answer.wrap_info.token
  }
})

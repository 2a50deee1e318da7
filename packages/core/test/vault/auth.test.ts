import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { appRole } from '../../src/vault/auth/approle.ts'
import type { AuthMethod } from '../../src/vault/auth/auth.ts'
import { token } from '../../src/vault/auth/token.ts'
import { tokenFile } from '../../src/vault/auth/token-file.ts'
import type { VaultServer } from '../../src/vault/vault-server.ts'
import { rejection, secretsIn } from '../secrets.ts'
import { leaseOf, type Servers, startServers, vaultOf } from '../servers.ts'

describe('authentication on a real server', () => {
  const folder = mkdtempSync(join(tmpdir(), 'vault-lease-auth-'))
  let servers: Servers

  beforeAll(async () => {
    servers = await startServers()
  })
  afterAll(async () => {
    rmSync(folder, { recursive: true })
    await servers?.[Symbol.asyncDispose]()
  })

  const vaultBy = (auth: AuthMethod): VaultServer => vaultOf({ address: servers.vault.address, auth })
  const read = (vault: VaultServer) => vault.send({ method: 'GET', path: 'database/creds/app' })
  const signal = AbortSignal.timeout(60_000)

  async function isAlive(value: string | undefined): Promise<boolean> {
    const { status } = await servers.vault.call('GET', 'auth/token/lookup-self', undefined, {
      token: value ?? '',
    })
    return status === 200
  }

  /** An AppRole of its own, for tokens of a certain kind. */
  async function appRoleWith(options: object): Promise<AuthMethod> {
    const { mount } = await servers.engine.createAppRole()
    const role = `auth/${mount}/role/role-${++roles}`
    await servers.vault.must('POST', role, { token_policies: ['vault-lease-database'], ...options })
    const { body: id } = await servers.vault.must('GET', `${role}/role-id`)
    const { body: secret } = await servers.vault.must('PUT', `${role}/secret-id`, {})
    return appRole({ roleId: id.data.role_id, secretId: secret.data.secret_id, mount })
  }
  let roles = 0

  it('a given token is used, renewed while it can be, and never revoked', async () => {
    const value = await servers.engine.createToken({ ttl: '20s' })
    const vault = vaultBy(token(value))
    const { token: used } = await read(vault)
    expect(used.value).toBe(value)
    expect(used.facts).toMatchObject({ renewable: true })
    const { end } = used.facts
    await sleep(1_100)
    await vault.session.renew(signal)
    expect(used.facts.end).toBeGreaterThan(end + 900)
    await vault.close()
    expect(await isAlive(value)).toBe(true)
  })

  it('a root token has no end', async () => {
    await using vault = vaultBy(token(servers.vault.token))
    expect((await read(vault)).token.facts).toMatchObject({
      end: Number.POSITIVE_INFINITY,
      renewable: false,
    })
  })

  it('a token file is read again once the token in it is dead', async () => {
    const path = join(folder, 'token')
    const first = await servers.engine.createToken()
    writeFileSync(path, `${first}\n`)
    const vault = vaultBy(tokenFile(path))
    expect((await read(vault)).token.value).toBe(first)
    const second = await servers.engine.createToken()
    writeFileSync(`${path}.new`, second)
    renameSync(`${path}.new`, path)
    await servers.vault.must('POST', 'auth/token/revoke', { token: first })
    expect((await read(vault)).token.value).toBe(second)
    await vault.close()
    expect(await isAlive(second)).toBe(true)
  })

  it.each([
    ['is missing', undefined, /cannot be read/],
    ['is empty', ' \n', /is empty/],
    ['holds something else', '{"token": "s.secret-json"}\nand more', /not a token/],
  ])('a token file that %s is a retryable error that names it', async (_name, content, says) => {
    const path = join(folder, `token-${Math.random()}`)
    if (content !== undefined) writeFileSync(path, content)
    await using vault = vaultBy(tokenFile(path))
    const error = await rejection(read(vault))
    expect(error).toMatchObject({
      code: 'ERR_VAULT_LOGIN_FAILED',
      retryable: true,
      message: expect.stringMatching(says),
    })
    expect(error).toMatchObject({ message: expect.stringContaining(path) })
    expect(secretsIn(error, ['secret-json'])).toEqual([])
  })

  it('AppRole logs in for a token and gives it back at the end', async () => {
    const vault = vaultBy(await appRoleWith({}))
    const { token: used } = await read(vault)
    expect(await isAlive(used.value)).toBe(true)
    await vault.close()
    expect(await isAlive(used.value)).toBe(false)
  })

  it('AppRole reads the secret id from a file at each login', async () => {
    const { roleId, secretId, mount } = await servers.engine.createAppRole()
    const secretIdFile = join(folder, 'secret-id')
    await using vault = vaultBy(appRole({ roleId, secretIdFile, mount }))
    expect(await rejection(read(vault))).toMatchObject({ code: 'ERR_VAULT_LOGIN_FAILED', retryable: true })
    writeFileSync(secretIdFile, 'wrong')
    expect(await rejection(read(vault))).toMatchObject({ code: 'ERR_VAULT_LOGIN_FAILED', retryable: false })
    writeFileSync(secretIdFile, `${secretId}\n`)
    expect((await read(vault)).leaseId).not.toBe('')
  })

  it('a token of AppRole is extended by renew-self until its max TTL cuts it', async () => {
    await using vault = vaultBy(await appRoleWith({ token_ttl: '5s', token_max_ttl: '6s' }))
    const { token: used } = await read(vault)
    const { end } = used.facts
    await sleep(500)
    await vault.session.renew(signal)
    expect(used.facts.end).toBeGreaterThan(end + 400)
    expect(used.facts.renewable).toBe(true)
    await sleep(2_000)
    await vault.session.renew(signal)
    expect(used.facts.renewable).toBe(false)
  })

  it('a revoked token is found out, and AppRole logs in again by itself', async () => {
    await using vault = vaultBy(await appRoleWith({}))
    const { token: first } = await read(vault)
    await servers.vault.must('POST', 'auth/token/revoke', { token: first.value })
    const { token: second } = await read(vault)
    expect(second.value).not.toBe(first.value)
    expect(first.facts.renewable).toBe(false)
  })

  it('a token that will not live long enough is replaced, and given back at once when no lease is under it', async () => {
    await using vault = vaultBy(await appRoleWith({ token_ttl: '5s', token_max_ttl: '5s' }))
    const { token: first } = await read(vault)
    await sleep(1_200)
    await vault.session.renew(signal)
    const outliveMs = 60_000
    const { token: second } = await vault.send({ method: 'GET', path: 'database/creds/app', outliveMs })
    expect(second.value).not.toBe(first.value)
    await vi.waitFor(async () => expect(await isAlive(first.value)).toBe(false), { timeout: 2_500 })
    expect(await isAlive(second.value)).toBe(true)
  })

  it('a batch token cannot be extended or given back, and that is no error', async () => {
    const vault = vaultBy(await appRoleWith({ token_type: 'batch', token_ttl: '30s' }))
    const { token: used, leaseDurationMs } = await read(vault)
    expect(used.facts.renewable).toBe(false)
    expect(leaseDurationMs).toBeLessThanOrEqual(30_000)
    await vault.close()
  })

  it('several leases on one Vault log in once', async () => {
    const inner = await appRoleWith({})
    let logins = 0
    const counting: AuthMethod = {
      name: 'counting',
      logIn(context) {
        logins++
        return inner.logIn(context)
      },
    }
    await using vault = vaultBy(counting)
    const leases = Array.from({ length: 5 }, () => leaseOf({ vault }))
    await Promise.all(leases.map((lease) => lease.ready()))
    expect(new Set(leases.map((lease) => lease.current?.username)).size).toBe(5)
    await Promise.all(leases.map((lease) => lease.close()))
    expect(logins).toBe(1)
  })

  it('one lease moves to a new token before the old one dies, and the old one is given back', async () => {
    const vault = vaultBy(await appRoleWith({ token_ttl: '4s', token_max_ttl: '4s' }))
    const lease = leaseOf({ vault })
    await lease.ready()
    const reasons: string[] = []
    let users = 0
    lease.on('rotated', ({ reason }) => void reasons.push(reason))
    const tokenAtHand = async () => {
      const token = await vault.session.token(undefined)
      vault.session.release(token)
      return token
    }
    const first = await tokenAtHand()
    while (reasons.length === 0) {
      expect(lease.current).toBeDefined()
      users = (await servers.engine.users()).length
      expect(users).toBeGreaterThan(0)
      await sleep(50)
    }
    expect(reasons).toEqual(['token'])
    const second = await tokenAtHand()
    expect(second.value).not.toBe(first.value)
    await sleep(300)
    expect(first.facts.end).toBeGreaterThan(performance.now())
    expect(await isAlive(first.value)).toBe(false)
    expect(await isAlive(second.value)).toBe(true)
    await lease.close()
    await vault.close()
    expect(await isAlive(second.value)).toBe(false)
  })
})

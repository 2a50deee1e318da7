import type { Socket } from 'node:net'
import { describe, expect, it, vi } from 'vitest'
import { systemClock } from '../../src/resilience/clock.ts'
import { dynamicRole } from '../../src/source/dynamic-role.ts'
import { appRole } from '../../src/vault/auth/approle.ts'
import { token } from '../../src/vault/auth/token.ts'
import { VaultError } from '../../src/vault/errors.ts'
import { createVaultOn, type VaultOptions } from '../../src/vault/vault.ts'
import { type Answer, asVault, nobodyListens, reply, startHttpServer } from '../http-server.ts'
import { rejection, secretsIn } from '../secrets.ts'

const secretToken = 'hvs.the-token-itself'
const secretId = 'the-secret-id-itself'
const path = 'database/creds/app'
const credential = {
  lease_id: `${path}/1`,
  lease_duration: 60,
  renewable: true,
  data: { username: 'v-app', password: 'p' },
}

const vaultOn = (options: VaultOptions, env: NodeJS.ProcessEnv = {}) =>
  createVaultOn({ auth: token(secretToken), maxRetries: 0, ...options }, { clock: systemClock, env })

/** Reads a credential from a server that gives this answer, and returns the error. */
async function errorFrom(answer: Answer, options: VaultOptions = {}): Promise<unknown> {
  await using server = await startHttpServer(asVault(answer))
  return await fetchError({ address: server.address, ...options })
}

async function fetchError(options: VaultOptions, signal = AbortSignal.timeout(10_000)): Promise<unknown> {
  await using vault = vaultOn(options)
  const source = dynamicRole({ vault, mount: 'database', role: 'app', ownsVault: false })
  return await rejection(source.fetch({ outliveMs: 0, signal }))
}

function expectError(error: unknown, code: string, retryable: boolean, says: RegExp): void {
  expect(error).toBeInstanceOf(VaultError)
  expect(error).toMatchObject({ code, retryable, message: expect.stringMatching(says) })
  expect(secretsIn(error, [secretToken, secretId])).toEqual([])
}

describe('answers that no real Vault gives on demand', () => {
  const table: [string, number, unknown, string, boolean, RegExp][] = [
    ['an index that is not there yet', 429, { errors: [] }, 'ERR_VAULT_LAGGING', true, /try again/],
    ['412', 412, { errors: ['required index state not present'] }, 'ERR_VAULT_LAGGING', true, /try again/],
    ['a text that is no JSON', 200, 'hello', 'ERR_VAULT_BAD_ANSWER', true, /not JSON.*VAULT_ADDR/],
    ['an HTML page', 200, '<html>log in</html>', 'ERR_VAULT_BAD_ANSWER', true, /not JSON.*VAULT_ADDR/],
    ['an HTML error page', 502, '<html>bad gateway</html>', 'ERR_VAULT_SERVER', true, /502.*log of Vault/],
    ['an HTML page that is not found', 404, '<html>?</html>', 'ERR_VAULT_NO_MOUNT', false, /mounted/],
    ['a redirect to another scheme', 301, '', 'ERR_VAULT_REQUEST', false, /set VAULT_ADDR/],
    ['an empty body', 200, '', 'ERR_VAULT_BAD_ANSWER', false, /no lease/],
    ['null', 200, 'null', 'ERR_VAULT_BAD_ANSWER', false, /no lease/],
    ['a list', 200, [], 'ERR_VAULT_BAD_ANSWER', true, /not an object/],
    ['a huge body', 200, ' '.repeat(1_100_000), 'ERR_VAULT_BAD_ANSWER', true, /longer than 1 MiB/],
    [
      'no username',
      200,
      { ...credential, data: { password: 'p' } },
      'ERR_VAULT_BAD_ANSWER',
      true,
      /username/,
    ],
    [
      'a password of a wrong type',
      200,
      { ...credential, data: { username: 'u', password: 7 } },
      'ERR_VAULT_BAD_ANSWER',
      true,
      /password/,
    ],
    ['no data', 200, { ...credential, data: null }, 'ERR_VAULT_BAD_ANSWER', true, /username/],
    [
      'data of a wrong type',
      200,
      { ...credential, data: ['v'] },
      'ERR_VAULT_BAD_ANSWER',
      true,
      /data is not/,
    ],
    [
      'a lease id of a wrong type',
      200,
      { ...credential, lease_id: 7 },
      'ERR_VAULT_BAD_ANSWER',
      true,
      /lease_id/,
    ],
    [
      'a static role',
      200,
      { ...credential, lease_id: '', lease_duration: 0 },
      'ERR_VAULT_BAD_ANSWER',
      false,
      /static role/,
    ],
    [
      'a lease of no time',
      200,
      { ...credential, lease_duration: 0 },
      'ERR_VAULT_BAD_ANSWER',
      false,
      /default_ttl/,
    ],
    [
      'a negative duration',
      200,
      { ...credential, lease_duration: -1 },
      'ERR_VAULT_BAD_ANSWER',
      true,
      /lease_duration/,
    ],
    [
      'a duration in words',
      200,
      { ...credential, lease_duration: '1h' },
      'ERR_VAULT_BAD_ANSWER',
      true,
      /lease_duration/,
    ],
    [
      'a duration beyond numbers',
      200,
      JSON.stringify(credential).replace('60', '1e999'),
      'ERR_VAULT_BAD_ANSWER',
      true,
      /lease_duration/,
    ],
    [
      'an error with the token in it',
      400,
      { errors: [`no such token: ${secretToken}`] },
      'ERR_VAULT_REQUEST',
      false,
      /\[redacted\]/,
    ],
    [
      'an error with a password in it',
      500,
      { errors: ['dial postgres://root:p@ss/word@db/app'] },
      'ERR_VAULT_DATABASE',
      true,
      /:\/\/\[redacted\]@db\/app/,
    ],
    [
      'a locked namespace',
      503,
      { errors: ['API access to this namespace has been locked'] },
      'ERR_VAULT_SERVER',
      true,
      /locked/,
    ],
    [
      'a lost leader',
      400,
      { errors: ['failed to persist lease entry: leadership lost'] },
      'ERR_VAULT_SERVER',
      true,
      /later/,
    ],
    [
      'a token at its last use',
      400,
      { errors: ['Secret cannot be returned; token had one use left'] },
      'ERR_VAULT_REQUEST',
      false,
      /num_uses/,
    ],
  ]
  it.each(table)('%s', async (_name, status, body, code, retryable, says) => {
    const error = await errorFrom((_request, response) => reply(response, status, body))
    expectError(error, code, retryable, says)
    expect(error).toMatchObject({ message: expect.stringContaining(path) })
  })

  it('an answer that a cache has held for longer than the lease lasts', async () => {
    const error = await errorFrom((_request, response) => reply(response, 200, credential, { age: '61' }))
    expectError(error, 'ERR_VAULT_BAD_ANSWER', false, /cache/)
  })

  it('a cache that gives the credential in use again: it would be revoked under its users', async () => {
    await using server = await startHttpServer(
      asVault((_request, response) => reply(response, 200, credential, { age: '1' })),
    )
    await using vault = vaultOn({ address: server.address })
    const source = dynamicRole({ vault, mount: 'database', role: 'app', ownsVault: false })
    const fetch = () => source.fetch({ outliveMs: 0, signal: AbortSignal.timeout(5_000) })
    const before = performance.now()
    const { lease } = await fetch()
    expect(lease.end - before).toBeLessThan(59_100)
    expectError(await rejection(fetch()), 'ERR_VAULT_BAD_ANSWER', false, /cache/)
  })

  it('a huge duration is taken as it is', async () => {
    await using server = await startHttpServer(
      asVault((_request, response) => reply(response, 200, { ...credential, lease_duration: 1e305 })),
    )
    await using vault = vaultOn({ address: server.address })
    const source = dynamicRole({ vault, mount: 'database', role: 'app', ownsVault: false })
    const { lease } = await source.fetch({ outliveMs: 0, signal: AbortSignal.timeout(5_000) })
    expect(lease.end).toBeGreaterThan(1e300)
  })

  it('a login that answers without a token', async () => {
    const error = await errorFrom((_request, response) => reply(response, 200, { data: {} }), {
      auth: appRole({ roleId: 'role', secretId }),
    })
    expectError(error, 'ERR_VAULT_LOGIN_FAILED', false, /auth\/approle\/login without a token/)
  })

  it('a login that repeats the secret id in its error', async () => {
    const error = await errorFrom(
      ({ body }, response) => reply(response, 400, { errors: [`cannot use ${body}`] }),
      { auth: appRole({ roleId: 'role', secretId }) },
    )
    expectError(error, 'ERR_VAULT_REQUEST', false, /\[redacted\]/)
  })
})

describe('redirects of a standby', () => {
  const to = (location: string): Answer =>
    asVault((_request, response) => reply(response, 307, '', { location }))
  const ok: Answer = asVault((_request, response) => reply(response, 200, credential))

  it('to a host that nobody listed are not followed', async () => {
    await using active = await startHttpServer(ok)
    await using standby = await startHttpServer(to(`${active.address}/v1/${path}`))
    expectError(await fetchError({ address: standby.address }), 'ERR_VAULT_STANDBY', true, /clusterAddresses/)
    expect(active.requests).toEqual([])
  })

  it('to a listed address of the cluster are followed with the token, once', async () => {
    await using active = await startHttpServer(ok)
    await using standby = await startHttpServer(to(`${active.address}/v1/${path}`))
    const clusterAddresses = [active.address]
    expect(await fetchError({ address: standby.address, clusterAddresses })).toBeUndefined()
    expect(active.requests).toMatchObject([{ url: `/v1/${path}`, headers: { 'x-vault-token': secretToken } }])
    await using circle = await startHttpServer(to(`/v1/${path}`))
    expectError(await fetchError({ address: circle.address }), 'ERR_VAULT_STANDBY', true, /standby/)
    expect(circle.requests.filter(({ url }) => url.endsWith(path))).toHaveLength(2)
  })

  it('are not followed with VAULT_DISABLE_REDIRECTS', async () => {
    await using active = await startHttpServer(ok)
    await using standby = await startHttpServer(to(`${active.address}/v1/${path}`))
    const options = { address: standby.address, clusterAddresses: [active.address] }
    await using vault = vaultOn(options, { VAULT_DISABLE_REDIRECTS: '1' })
    expectError(await rejection(vault.send({ method: 'GET', path })), 'ERR_VAULT_STANDBY', true, /standby/)
    expect(active.requests).toEqual([])
  })
})

describe('servers that cannot be asked', () => {
  it('nobody listens', async () => {
    const address = await nobodyListens()
    expectError(await fetchError({ address }), 'ERR_VAULT_UNREACHABLE', true, /ECONNREFUSED.*VAULT_ADDR/)
  })

  it('nobody listens at a name with several addresses', async () => {
    const address = (await nobodyListens()).replace('127.0.0.1', 'localhost')
    expectError(await fetchError({ address }), 'ERR_VAULT_UNREACHABLE', true, /ECONNREFUSED.*VAULT_ADDR/)
  })

  it('the name is unknown', async () => {
    const error = await fetchError({ address: 'http://vault.invalid:8200' })
    expectError(error, 'ERR_VAULT_UNREACHABLE', true, /vault\.invalid.*VAULT_ADDR/)
  })

  it('the connection breaks in mid-answer', async () => {
    const error = await errorFrom((_request, response) => {
      response.writeHead(200, { 'content-length': '1000' })
      response.write('{')
      setTimeout(() => response.destroy(), 20)
    })
    expectError(error, 'ERR_VAULT_UNREACHABLE', true, /VAULT_ADDR/)
  })

  it.each([
    ['answers nothing', false],
    ['stops in mid-answer', true],
  ])(
    'a server that %s is left at the timeout and at an abort, and the socket is closed',
    async (_name, begins) => {
      const carriers: (Socket | null)[] = []
      await using server = await startHttpServer(
        asVault((_request, response) => {
          carriers.push(response.socket)
          if (begins) response.writeHead(200).write('{')
        }),
      )
      const { address } = server
      await using hasty = vaultOn({ address, timeoutMs: 150 })
      const error = await rejection(hasty.send({ method: 'GET', path }))
      expectError(error, 'ERR_VAULT_TIMEOUT', true, /within 150 ms.*VAULT_CLIENT_TIMEOUT/)
      await vi.waitFor(() => expect(carriers).toMatchObject([{ destroyed: true }]))

      await using patient = vaultOn({ address })
      const stop = new AbortController()
      const aborted = rejection(patient.send({ method: 'GET', path, signal: stop.signal }))
      await vi.waitFor(() => expect(carriers).toMatchObject([{}, { destroyed: false }]))
      stop.abort(new Error('enough'))
      expect(await aborted).toMatchObject({ message: 'enough' })
      await vi.waitFor(() => expect(carriers).toMatchObject([{}, { destroyed: true }]))
    },
  )

  it('close() does not wait for a login that hangs', async () => {
    await using server = await startHttpServer(() => {})
    const vault = vaultOn({ address: server.address, auth: appRole({ roleId: 'role', secretId }) })
    const login = rejection(vault.send({ method: 'GET', path }))
    await vi.waitFor(() => expect(server.requests).toHaveLength(1))
    const began = performance.now()
    await vault.close()
    expect(performance.now() - began).toBeLessThan(6_000)
    expectError(await login, 'ERR_VAULT_UNREACHABLE', true, /./)
    await vi.waitFor(() => expect(server.sockets.size).toBe(0))
  })
})

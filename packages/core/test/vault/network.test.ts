import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it, vi } from 'vitest'
import { appRole } from '../../src/vault/auth/approle.ts'
import { token } from '../../src/vault/auth/token.ts'
import { VaultError } from '../../src/vault/errors.ts'
import type { VaultOptions } from '../../src/vault/vault-options.ts'
import { type Answer, asVault, nobodyListens, reply, startHttpServer } from '../http-server.ts'
import { rejection, secretsIn } from '../secrets.ts'
import { vaultOf } from '../servers.ts'

const secretToken = 'hvs.the-token-itself'
const secretId = 'the-secret-id-itself'
const path = 'database/creds/app'

const vaultOn = (options: VaultOptions, env: NodeJS.ProcessEnv = {}) =>
  vaultOf({ auth: token(secretToken), ...options }, env)

async function fetchError(options: VaultOptions): Promise<unknown> {
  await using vault = vaultOn(options)
  return await rejection(vault.send({ method: 'GET', path }))
}

function expectError(error: unknown, code: string, retryable: boolean, says: RegExp): void {
  expect(error).toBeInstanceOf(VaultError)
  expect(error).toMatchObject({ code, retryable, message: expect.stringMatching(says) })
  expect(secretsIn(error, [secretToken, secretId])).toEqual([])
}

describe('redirects of a standby', () => {
  const to = (location: string): Answer =>
    asVault((_request, response) => reply(response, 307, '', { location }))
  const ok: Answer = asVault((_request, response) => reply(response, 200, {}))

  it('to a host that nobody listed are not followed', async () => {
    await using active = await startHttpServer(ok)
    await using standby = await startHttpServer(to(`${active.address}/v1/${path}`))
    expectError(await fetchError({ address: standby.address }), 'ERR_VAULT_STANDBY', true, /option address/)
    expect(active.requests).toEqual([])
  })

  it('to a listed address of the cluster are followed with the token, once', async () => {
    await using active = await startHttpServer(ok)
    await using standby = await startHttpServer(to(`${active.address}/v1/${path}`))
    const address = [standby.address, active.address]
    expect(await fetchError({ address })).toBeUndefined()
    expect(active.requests).toMatchObject([{ url: `/v1/${path}`, headers: { 'x-vault-token': secretToken } }])
    await using circle = await startHttpServer(to(`/v1/${path}`))
    expectError(await fetchError({ address: circle.address }), 'ERR_VAULT_STANDBY', true, /standby/)
    expect(circle.requests.filter(({ url }) => url.endsWith(path))).toHaveLength(2)
  })

  it('are not followed with VAULT_DISABLE_REDIRECTS', async () => {
    await using active = await startHttpServer(ok)
    await using standby = await startHttpServer(to(`${active.address}/v1/${path}`))
    const options = { address: standby.address }
    await using vault = vaultOn(options, { VAULT_DISABLE_REDIRECTS: '1' })
    expectError(await rejection(vault.send({ method: 'GET', path })), 'ERR_VAULT_STANDBY', true, /standby/)
    expect(active.requests).toEqual([])
  })
})

describe('a token of which the server says', () => {
  it.each([
    ['that it is in its last second', { ttl: 0, creation_ttl: 3 }],
    ['that it has a second left, a second ago', { ttl: 1, creation_ttl: 3 }],
  ])('%s, is used no more, though the server would still take it', async (_name, data) => {
    const life = { ...data, renewable: false }
    await using server = await startHttpServer((request, response) => {
      reply(response, 200, request.url.endsWith('lookup-self') ? { data: life } : {})
      life.ttl = 0
    })
    await using vault = vaultOn({ address: server.address })
    if (data.ttl > 0) {
      // Twice: the second time, the token is found to be the only one that can be had.
      await vault.send({ method: 'GET', path, outliveMs: 60_000 })
      await vault.send({ method: 'GET', path, outliveMs: 60_000 })
      await sleep(1_050)
    }
    const asked = () => server.requests.filter(({ url }) => url.endsWith(path)).length
    const before = asked()
    const error = await rejection(vault.send({ method: 'GET', path }))
    expectError(error, 'ERR_VAULT_TOKEN_INVALID', false, /come to its end.*Give a new one/)
    expect(asked()).toBe(before)
  })
})

describe('servers that cannot be asked', () => {
  it('nobody listens', async () => {
    const address = await nobodyListens()
    expectError(await fetchError({ address }), 'ERR_VAULT_UNREACHABLE', true, /ECONNREFUSED.*VAULT_ADDR/)
  })

  it('nobody listens at the proxy', async () => {
    const proxy = await nobodyListens()
    const error = await fetchError({ address: 'https://vault.example', proxy })
    expectError(error, 'ERR_VAULT_UNREACHABLE', true, new RegExp(`through the proxy ${proxy}`))
  })

  it.each(["it's-secret", 'a"secret', 'a`secret', 'a@secret', 'a%27secret', 'a secret'])(
    'nobody listens at a proxy that takes the password %s',
    async (password) => {
      const proxy = (await nobodyListens()).replace('//', `//user:${password}@`)
      const error = await fetchError({ address: 'https://vault.example', proxy })
      expectError(error, 'ERR_VAULT_UNREACHABLE', true, /through the proxy http:\/\/127/)
      expect(secretsIn(error, ['secret'])).toEqual([])
    },
  )

  it('nobody listens at a name with several addresses', async () => {
    const address = (await nobodyListens()).replace('127.0.0.1', 'localhost')
    expectError(await fetchError({ address }), 'ERR_VAULT_UNREACHABLE', true, /ECONNREFUSED.*VAULT_ADDR/)
  })

  it('the name is unknown', async () => {
    const error = await fetchError({ address: 'http://vault.invalid:8200' })
    expectError(error, 'ERR_VAULT_UNREACHABLE', true, /vault\.invalid.*VAULT_ADDR/)
  })

  it('the connection breaks in mid-answer', async () => {
    await using server = await startHttpServer(
      asVault((_request, response) => {
        response.writeHead(200, { 'content-length': '1000' })
        response.write('{')
        setTimeout(() => response.destroy(), 20)
      }),
    )
    const error = await fetchError({ address: server.address })
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

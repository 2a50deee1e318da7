import { createRequire } from 'node:module'
import { format } from 'node:util'
import nodeVault from 'node-vault'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { systemClock } from '../../src/resilience/clock.ts'
import { readAddress } from '../../src/vault/address.ts'
import { appRole } from '../../src/vault/auth/approle.ts'
import { token } from '../../src/vault/auth/token.ts'
import { VaultClient } from '../../src/vault/client.ts'
import { Cluster } from '../../src/vault/cluster.ts'
import { Connections } from '../../src/vault/connections.ts'
import { createVaultOn } from '../../src/vault/create-vault.ts'
import { apiPath } from '../../src/vault/path.ts'
import { TlsFiles } from '../../src/vault/tls.ts'
import { Transport } from '../../src/vault/transport.ts'
import { readVaultConfig } from '../../src/vault/vault-config.ts'
import type { VaultOptions } from '../../src/vault/vault-options.ts'
import { asVault, nobodyListens, reply, startHttpServer } from '../http-server.ts'
import { ManualClock } from '../manual-clock.ts'
import { rejection, secretsIn } from '../secrets.ts'

const secretToken = 'hvs.the-token-itself'
const secretId = 'the-secret-id-itself'
const secrets = [secretToken, secretId]

const vaultOn = (options: VaultOptions, clock = systemClock) =>
  createVaultOn(readVaultConfig({ auth: token(secretToken), maxRetries: 0, ...options }, process.env), {
    clock,
    random: () => 0.5,
  })

const read = (options: VaultOptions) => vaultOn(options).send({ method: 'GET', path: 'database/creds/app' })

const plainRead = (address: string): Promise<unknown> =>
  nodeVault({ endpoint: address, token: secretToken }).read('database/creds/app')

/** Each test makes the same observation of plain node-vault, which shows that it can fail. */
describe('what plain node-vault 0.12 does and core does not', () => {
  afterEach(() => vi.unstubAllEnvs())

  it('shows secrets in the error of a network failure (defect 1)', async () => {
    const address = await nobodyListens()
    const observe = async (logIn: Promise<unknown>) => secretsIn(await rejection(logIn), secrets)
    const ours = vaultOn({ address, auth: appRole({ roleId: 'role', secretId }) })
    const plain = nodeVault({ endpoint: address, token: secretToken })
    expect(await observe(ours.send({ method: 'GET', path: 'database/creds/app' }))).toEqual([])
    expect(await observe(read({ address }))).toEqual([])
    expect(await observe(plain.approleLogin({ role_id: 'role', secret_id: secretId }))).toEqual(secrets)
  })

  it('prints secrets when DEBUG is set (defect 1)', async () => {
    const address = await nobodyListens()
    const observe = async (logIn: () => Promise<unknown>): Promise<string[]> => {
      const lines: string[] = []
      const debug: Debug = createRequire(createRequire(import.meta.url).resolve('node-vault'))('debug')
      debug.log = (...line) => void lines.push(format(...line))
      debug.enable('*')
      await rejection(logIn())
      debug.disable()
      return secretsIn(lines, secrets)
    }
    const ours = vaultOn({ address, auth: appRole({ roleId: 'role', secretId }) })
    const plain = nodeVault({ endpoint: address })
    expect(await observe(() => ours.send({ method: 'GET', path: 'database/creds/app' }))).toEqual([])
    expect(await observe(() => plain.approleLogin({ role_id: 'role', secret_id: secretId }))).toEqual([
      secretId,
    ])
  })

  it('logs in at a path without the name of a mount (defect 3)', async () => {
    await using server = await startHttpServer((_request, response) => reply(response, 400, { errors: [] }))
    const observe = async (logIn: Promise<unknown>) => {
      await rejection(logIn)
      return server.requests.at(-1)?.url
    }
    const ours = vaultOn({ address: server.address, auth: appRole({ roleId: 'role', secretId }) })
    const plain = nodeVault({ endpoint: server.address })
    expect(await observe(ours.send({ method: 'GET', path: 'x' }))).toBe('/v1/auth/approle/login')
    expect(await observe(plain.kubernetesLogin({ role: 'app', jwt: 'jwt' }))).toBe('/v1/auth//login')
  })

  it('goes on sending its first token when it was given headers (defect 4)', async () => {
    await using server = await startHttpServer((_request, response) => reply(response, 200, {}))
    const tokens = () => server.requests.slice(-2).map(({ headers }) => headers['x-vault-token'])
    const ours = new VaultClient('team', transport(server.address))
    await ours.send({ method: 'GET', path: 'x' }, 'first')
    await ours.send({ method: 'GET', path: 'x' }, 'second')
    expect(tokens()).toEqual(['first', 'second'])
    const headers = { 'X-Custom': 'yes' }
    const plain = nodeVault({ endpoint: server.address, token: 'first', requestOptions: { headers } })
    await plain.read('x')
    plain.token = 'second'
    await plain.read('x')
    expect(tokens()).toEqual(['first', 'first'])
  })

  it('takes the token to another host when it is redirected there (defect 5)', async () => {
    await using other = await startHttpServer((_request, response) => reply(response, 200, {}))
    await using standby = await startHttpServer(
      asVault((_request, response) =>
        reply(response, 307, '', { location: `${other.address}/v1/database/creds/app` }),
      ),
    )
    const observe = async (reading: Promise<unknown>) => {
      await rejection(reading)
      return other.requests.map(({ headers }) => headers['x-vault-token'])
    }
    expect(await observe(read({ address: standby.address }))).toEqual([])
    expect(await observe(plainRead(standby.address))).toEqual([secretToken])
  })

  it('goes through the proxy in HTTP_PROXY (defect 6)', async () => {
    await using proxy = await startHttpServer((_request, response) => reply(response, 200, {}))
    await using server = await startHttpServer(asVault((_request, response) => reply(response, 200, {})))
    for (const name of ['HTTP_PROXY', 'http_proxy']) vi.stubEnv(name, proxy.address)
    for (const name of ['NO_PROXY', 'no_proxy']) vi.stubEnv(name, '')
    const observe = async (reading: Promise<unknown>) => {
      await rejection(reading)
      return proxy.requests.length
    }
    expect(await observe(read({ address: server.address }))).toBe(0)
    expect(server.requests.length).toBeGreaterThan(0)
    expect(await observe(plainRead(server.address))).toBe(1)
  })

  it('waits for a hung server for ever, also with an AbortSignal (defect 7)', async () => {
    await using server = await startHttpServer(asVault(() => {}))
    const signal = AbortSignal.timeout(100)
    const observe = (reading: Promise<unknown>) =>
      Promise.race([
        rejection(reading).then((error) => error instanceof Error && error.name),
        new Promise((resolve) => setTimeout(resolve, 500, 'still waiting')),
      ])
    const path = 'database/creds/app'
    expect(await observe(vaultOn({ address: server.address }).send({ method: 'GET', path, signal }))).toBe(
      'TimeoutError',
    )
    const plain = nodeVault({ endpoint: server.address, token: secretToken })
    expect(await observe(plain.read(path, { signal }))).toBe('still waiting')
    expect(await observe(read({ address: server.address, timeoutMs: 100 }))).toBe('VaultError')
  })

  it('… while core gives up by itself after 60 s', async () => {
    await using server = await startHttpServer(() => {})
    const clock = new ManualClock()
    const outcome = rejection(vaultOn({ address: server.address }, clock).send({ method: 'GET', path: 'x' }))
    await vi.waitFor(() => expect(server.requests).toHaveLength(1))
    await clock.advance(59_999)
    const early = await Promise.race([outcome, 'still waiting'])
    expect(early).toBe('still waiting')
    await clock.advance(1)
    expect(await outcome).toMatchObject({ code: 'ERR_VAULT_TIMEOUT', retryable: true })
  })

  it('asks for another path when a name holds a hash (defect 8)', async () => {
    await using server = await startHttpServer((_request, response) => reply(response, 200, {}))
    const observe = async (reading: Promise<unknown>) => {
      await reading
      return server.requests.at(-1)?.url
    }
    const ours = new VaultClient(undefined, transport(server.address))
    const path = apiPath('database', 'creds', 'a#b')
    expect(await observe(ours.send({ method: 'GET', path }))).toBe('/v1/database/creds/a%23b')
    const plain = nodeVault({ endpoint: server.address })
    expect(await observe(plain.read('database/creds/a#b'))).toBe('/v1/database/creds/a')
  })

  it('gives up on a server that asks to come back later, and drops when (defect 10)', async () => {
    let refused = false
    const busy = asVault((_request, response) => {
      refused = !refused
      if (refused) reply(response, 429, { errors: ['rate limit quota exceeded'] }, { 'retry-after': '0' })
      else reply(response, 200, { data: { ok: true } })
    })
    await using server = await startHttpServer(busy)
    const observe = async (reading: Promise<unknown>) => {
      const began = performance.now()
      const error = await rejection(reading)
      return { failed: error !== undefined, waited: performance.now() - began >= 1_000 }
    }
    expect(await observe(read({ address: server.address, maxRetries: 1 }))).toEqual({
      failed: false,
      waited: true,
    })
    const error = await rejection(read({ address: server.address }))
    expect(error).toMatchObject({ code: 'ERR_VAULT_RATE_LIMITED', retryAfterMs: 1_000 })
    refused = false
    expect(await observe(plainRead(server.address))).toEqual({ failed: true, waited: false })
  })

  it('tells the first of several messages only (defect 10)', async () => {
    const messages = ['the first thing', 'the second thing']
    await using server = await startHttpServer(
      asVault((_request, response) => reply(response, 400, { errors: messages })),
    )
    const observe = async (reading: Promise<unknown>) => {
      const error = await rejection(reading)
      return messages.filter((text) => error instanceof Error && error.message.includes(text))
    }
    expect(await observe(read({ address: server.address }))).toEqual(messages)
    expect(await observe(plainRead(server.address))).toEqual(['the first thing'])
  })
})

interface Debug {
  log: (...line: unknown[]) => void
  enable(names: string): void
  disable(): void
}

function transport(address: string): Transport {
  return new Transport({
    cluster: new Cluster([readAddress(address)]),
    connections: new Connections(new TlsFiles({}), undefined),
    rateLimit: undefined,
    timeoutMs: 1_000,
    followRedirects: true,
    clock: systemClock,
  })
}

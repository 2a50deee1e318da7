import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import nodeVault from 'node-vault'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { InvalidOptionError } from '../../src/errors.ts'
import { token } from '../../src/vault/auth/token.ts'
import { TlsFiles, type TlsOptions } from '../../src/vault/tls.ts'
import { certificate, localhost, authority as newAuthority } from '../certificates.ts'
import { asVault, type HttpServer, reply, startHttpServer } from '../http-server.ts'
import { rejection } from '../secrets.ts'
import { vaultOf } from '../servers.ts'

describe('TLS to Vault', () => {
  const folder = mkdtempSync(join(tmpdir(), 'vault-lease-tls-'))
  const file = (name: string): string => join(folder, name)
  let server: HttpServer
  let strict: HttpServer
  let authority: string

  beforeAll(async () => {
    const ca = await newAuthority('the authority')
    const other = await newAuthority('another authority')
    const named = await certificate('vault.internal', [{ type: 2, value: 'vault.internal' }], ca)
    const local = await localhost(ca)
    const client = await certificate('client', [], ca)
    authority = ca.cert
    mkdirSync(file('certs/..data'), { recursive: true })
    const files = { 'ca.pem': ca, 'other.pem': other, 'client.pem': client, 'certs/ca.pem': ca }
    for (const [name, { cert }] of Object.entries(files)) writeFileSync(file(name), cert)
    writeFileSync(file('client.key'), client.key)
    const ok = asVault((_request, response) => reply(response, 200, {}))
    server = await startHttpServer(ok, named)
    strict = await startHttpServer(ok, { ...local, ca: ca.cert, requestCert: true, rejectUnauthorized: true })
  })
  afterAll(async () => {
    await Promise.all([server?.[Symbol.asyncDispose](), strict?.[Symbol.asyncDispose]()])
    rmSync(folder, { recursive: true })
  })
  afterEach(() => vi.unstubAllEnvs())

  /** Resolves to `ok`, or to why not. */
  async function reach(tls: TlsOptions, env: NodeJS.ProcessEnv = {}, { address } = server): Promise<string> {
    const vault = vaultOf({ address, auth: token('t'), tls }, env)
    const error = await rejection(vault.send({ method: 'GET', path: 'x' }))
    await vault.close()
    return error instanceof Error ? error.message : 'ok'
  }
  const serverName = 'vault.internal'

  it('trusts nobody unknown, and says what to set', async () => {
    expect(await reach({ serverName })).toMatch(/certificate.*VAULT_CACERT/)
    expect(await reach({ serverName, caCertFile: file('other.pem') })).toMatch(/certificate/)
  })

  it.each([
    ['caCertFile', () => ({ caCertFile: file('ca.pem') })],
    ['caCert', () => ({ caCert: authority })],
    ['caPath, which may hold folders', () => ({ caPath: file('certs') })],
    ['skipVerify', () => ({ skipVerify: true })],
  ])('trusts by %s', async (_name, tls) => {
    expect(await reach({ serverName, ...tls() })).toBe('ok')
  })

  it('NODE_TLS_REJECT_UNAUTHORIZED=0 makes it trust nobody more', async () => {
    vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0')
    expect(await reach({ serverName })).toMatch(/certificate/)
    expect(await reach({ serverName, skipVerify: false })).toMatch(/certificate/)
    expect(await reach({ serverName, caCertFile: file('other.pem') })).toMatch(/certificate/)
    expect(await reach({ serverName, skipVerify: true })).toBe('ok')
  })

  it('nor does it make it trust a proxy with TLS, which is told a password', async () => {
    vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0')
    await using vault = vaultOf(
      {
        address: 'http://vault.invalid',
        auth: token('t'),
        proxy: server.address.replace('//', '//u:secret@'),
      },
      {},
    )
    expect(await rejection(vault.send({ method: 'GET', path: 'x' }))).toMatchObject({
      message: expect.stringMatching(/proxy.*certificate/),
    })
  })

  it.each(['caCert', 'caCertFile', 'caPath'])(
    'an empty %s is no way to trust the public authorities',
    (name) => {
      const named = { VAULT_CACERT: file('ca.pem') }
      for (const env of [{}, named]) {
        expect(() =>
          vaultOf({ address: server.address, auth: token('t'), tls: { [name]: '' } }, env),
        ).toThrow(new RegExp(`tls.${name}: it is empty`))
      }
    },
  )

  it('a certificate authority without a certificate is told', () => {
    writeFileSync(file('empty.pem'), '')
    mkdirSync(file('empty'), { recursive: true })
    for (const tls of [{ caCert: ' ' }, { caCertFile: file('empty.pem') }, { caPath: file('empty') }])
      expect(() => new TlsFiles(tls)).toThrow(/hold no certificate/)
  })

  it('checks the name in the certificate', async () => {
    const caCertFile = file('ca.pem')
    expect(await reach({ caCertFile })).toMatch(/does not match|altnames/i)
    expect(await reach({ caCertFile, serverName: 'other.internal' })).toMatch(/does not match|altnames/i)
    expect(await reach({ caCertFile, serverName })).toBe('ok')
  })

  it('shows a client certificate', async () => {
    const caCertFile = file('ca.pem')
    expect(await reach({ caCertFile }, {}, strict)).not.toBe('ok')
    const client = { clientCertFile: file('client.pem'), clientKeyFile: file('client.key') }
    expect(await reach({ caCertFile, ...client }, {}, strict)).toBe('ok')
  })

  it('all of it comes from the environment, too, and what the options name goes first', async () => {
    const env = {
      VAULT_CACERT: file('ca.pem'),
      VAULT_CLIENT_CERT: file('client.pem'),
      VAULT_CLIENT_KEY: file('client.key'),
    }
    expect(await reach({}, env, strict)).toBe('ok')
    expect(await reach({}, { ...env, VAULT_TLS_SERVER_NAME: serverName })).toBe('ok')
    expect(await reach({ caCertFile: file('other.pem') }, env, strict)).toMatch(/certificate/)
    expect(await reach({ caPath: file('certs') }, { ...env, VAULT_CACERT: file('other.pem') }, strict)).toBe(
      'ok',
    )
    expect(await reach({ serverName }, { VAULT_SKIP_VERIFY: 'true' })).toBe('ok')
    expect(await reach({ serverName, skipVerify: false }, { VAULT_SKIP_VERIFY: 'true' })).not.toBe('ok')
  })

  it('VAULT_SKIP_VERIFY=false checks, and VAULT_CACERT is read; plain node-vault does neither (defect 9)', async () => {
    const plain = async (): Promise<string> => {
      const client = nodeVault({ endpoint: server.address, token: 't' })
      const error = await rejection(client.read('x'))
      return error instanceof Error ? error.message : 'ok'
    }
    const off = { VAULT_SKIP_VERIFY: 'false' }
    vi.stubEnv('VAULT_SKIP_VERIFY', 'false')
    expect(await reach({ serverName }, off)).not.toBe('ok')
    expect(await plain()).toBe('ok')

    vi.unstubAllEnvs()
    const named = { VAULT_CACERT: file('ca.pem'), VAULT_TLS_SERVER_NAME: serverName }
    for (const [name, value] of Object.entries(named)) vi.stubEnv(name, value)
    expect(await reach({}, named)).toBe('ok')
    expect(await plain()).not.toBe('ok')
  })

  it('reads certificates again when their files are replaced, and never one half of a pair', async () => {
    const [oldCa, newCa] = [await newAuthority('old'), await newAuthority('new')]
    const strictly = { requestCert: true, rejectUnauthorized: true }
    const ok = asVault((_request, response) => reply(response, 200, {}))
    const names = {
      caCertFile: file('live-ca.pem'),
      clientCertFile: file('live.pem'),
      clientKeyFile: file('live.key'),
    }
    const install = (client: { key: string; cert: string }): void => {
      writeFileSync(names.clientCertFile, client.cert)
      writeFileSync(names.clientKeyFile, client.key)
    }
    const [oldClient, newClient] = [
      await certificate('client', [], oldCa),
      await certificate('client', [], newCa),
    ]
    writeFileSync(names.caCertFile, oldCa.cert)
    install(oldClient)
    await using before = await startHttpServer(ok, {
      ...(await localhost(oldCa)),
      ca: oldCa.cert,
      ...strictly,
    })
    await using after = await startHttpServer(ok, {
      ...(await localhost(newCa)),
      ca: newCa.cert,
      ...strictly,
    })
    await using vault = vaultOf({ address: [before.address, after.address], auth: token('t'), tls: names })
    const send = () => vault.send({ method: 'GET', path: 'x' })
    await send()
    writeFileSync(names.clientCertFile, newClient.cert)
    await send()
    expect(after.requests).toEqual([])
    install(newClient)
    writeFileSync(names.caCertFile, newCa.cert)
    await send()
    expect(after.requests.map(({ url }) => url)).toContain('/v1/x')
  })

  it('says so when Vault speaks http at an https address', async () => {
    await using open = await startHttpServer(asVault((_request, response) => reply(response, 200, {})))
    expect(await reach({}, {}, { ...open, address: open.address.replace('http:', 'https:') })).toMatch(
      /speaks http, and not https/,
    )
  })

  it('a standby cannot redirect out of TLS, and a list of addresses cannot lead out of it', async () => {
    await using open = await startHttpServer(asVault((_request, response) => reply(response, 200, {})))
    const location = `${open.address}/v1/x`
    await using standby = await startHttpServer(
      asVault((_request, response) => reply(response, 307, '', { location })),
      { cert: readFileSync(file('client.pem')), key: readFileSync(file('client.key')) },
    )
    const options = { address: standby.address, auth: token('t'), tls: { skipVerify: true } }
    expect(() => vaultOf({ ...options, address: [standby.address, open.address] })).toThrow(
      InvalidOptionError,
    )
    const capitals = [standby.address.replace('https', 'HTTPS'), open.address]
    expect(() => vaultOf({ ...options, address: capitals })).toThrow(InvalidOptionError)
    await using vault = vaultOf(options)
    const error = await rejection(vault.send({ method: 'GET', path: 'x' }))
    expect(error).toMatchObject({ code: 'ERR_VAULT_STANDBY' })
    expect(open.requests).toEqual([])
  })

  it.each([
    ['caCertFile', { caCertFile: '/nowhere/ca.pem' }],
    ['caPath', { caPath: '/nowhere' }],
    ['clientCertFile', { clientCertFile: '/nowhere', clientKeyFile: '/nowhere' }],
  ])('an unreadable setting is an error that names %s', (name, tls) => {
    expect(() => new TlsFiles(tls)).toThrow(InvalidOptionError)
    expect(() => new TlsFiles(tls)).toThrow(name)
  })
})

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startVault, type VaultServer } from '@vault-lease/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { cert } from '../../src/vault/auth/cert.ts'
import { authority, certificate, localhost } from '../certificates.ts'
import { rejection } from '../secrets.ts'
import { vaultOf } from '../servers.ts'

describe('TLS certificates as a login, on a real server', () => {
  const folder = mkdtempSync(join(tmpdir(), 'vault-lease-cert-'))
  const file = (name: string): string => join(folder, name)
  let server: VaultServer

  beforeAll(async () => {
    const ca = await authority('the authority')
    const [client, stranger] = [await certificate('client', [], ca), await certificate('stranger', [], ca)]
    server = await startVault({ tls: { ...(await localhost(ca)), clientCa: ca.cert } })
    writeFileSync(file('ca.pem'), ca.cert)
    for (const [name, pair] of Object.entries({ client, stranger })) {
      writeFileSync(file(`${name}.pem`), pair.cert)
      writeFileSync(file(`${name}.key`), pair.key)
    }
    await server.must('POST', 'sys/auth/cert', { type: 'cert' })
    const role = {
      certificate: ca.cert,
      allowed_common_names: ['client'],
      token_policies: ['default'],
      token_ttl: '4s',
    }
    await server.must('POST', 'auth/cert/certs/app', role)
  })
  afterAll(async () => {
    await server?.stop()
    rmSync(folder, { recursive: true })
  })

  const vaultAs = (name: string) =>
    vaultOf({
      address: server.tlsAddress,
      auth: cert({ name: 'app' }),
      tls: {
        caCertFile: file('ca.pem'),
        clientCertFile: file(`${name}.pem`),
        clientKeyFile: file(`${name}.key`),
      },
    })
  const lookUp = { method: 'GET', path: 'auth/token/lookup-self' } as const

  it('logs in, is extended over the same certificate, and gives the token back', async () => {
    const vault = vaultAs('client')
    const { token } = await vault.send(lookUp)
    const { end } = token.facts
    await sleep(1_100)
    await vault.renewToken(AbortSignal.timeout(2_000))
    expect(token.facts.end).toBeGreaterThan(end + 900)
    await vault.close()
    const options = { token: token.value ?? '' }
    expect((await server.call('GET', lookUp.path, undefined, options)).status).toBe(403)
  })

  it('that no role allows are refused', async () => {
    await using vault = vaultAs('stranger')
    expect(await rejection(vault.send(lookUp))).toMatchObject({
      retryable: false,
      message: expect.stringContaining('cert'),
    })
  })
})

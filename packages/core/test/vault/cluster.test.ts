import { describe, expect, it } from 'vitest'
import { token } from '../../src/vault/auth/token.ts'
import type { VaultOptions } from '../../src/vault/vault-options.ts'
import { type Answer, asVault, nobodyListens, reply, startHttpServer } from '../http-server.ts'
import { rejection } from '../secrets.ts'
import { vaultOf } from '../servers.ts'

const path = 'database/creds/app'
const ok: Answer = asVault((_request, response) => reply(response, 200, {}))
const refusing = (status: number, body: object): Answer =>
  asVault((_request, response) => reply(response, status, body))
const vaultAt = (address: VaultOptions['address'], options: VaultOptions = {}) =>
  vaultOf({ address, auth: token('a-token'), timeoutMs: 300, ...options })

describe('several addresses', () => {
  it.each([
    ['nobody listens', undefined],
    ['it hangs', () => {}],
    ['it is sealed', refusing(503, { errors: ['Vault is sealed'] })],
    [
      'it is a standby without an active node',
      refusing(500, { errors: ['local node not active but active cluster node not found'] }),
    ],
    ['it is a standby of another kind', refusing(472, {})],
  ] satisfies [string, Answer | undefined][])(
    'go on to the next when %s, and stay there',
    async (_name, answer) => {
      await using bad = await startHttpServer(answer ?? (() => {}))
      await using good = await startHttpServer(ok)
      const first = answer ? bad.address : await nobodyListens()
      await using vault = vaultAt([first, good.address])
      for (let n = 0; n < 3; n++) await vault.send({ method: 'GET', path })
      expect(good.requests.filter(({ url }) => url.endsWith(path))).toHaveLength(3)
      expect(bad.requests.filter(({ url }) => url.endsWith(path)).length).toBeLessThanOrEqual(1)
    },
  )

  it.each([
    ['a refusal', refusing(400, { errors: ['unknown role: app'] }), 'ERR_VAULT_UNKNOWN_ROLE'],
    ['a rate limit', refusing(429, { errors: ['rate limit quota exceeded'] }), 'ERR_VAULT_RATE_LIMITED'],
    ['trouble with the database', refusing(500, { errors: ['connection refused'] }), 'ERR_VAULT_DATABASE'],
  ])('do not go on to the next for %s', async (_name, answer, code) => {
    await using first = await startHttpServer(answer)
    await using second = await startHttpServer(ok)
    await using vault = vaultAt([first.address, second.address])
    expect(await rejection(vault.send({ method: 'GET', path }))).toMatchObject({ code })
    expect(second.requests).toEqual([])
  })

  it('fail with the last reason when none answers', async () => {
    await using vault = vaultAt([await nobodyListens(), await nobodyListens()])
    expect(await rejection(vault.send({ method: 'GET', path }))).toMatchObject({
      code: 'ERR_VAULT_UNREACHABLE',
    })
  })

  it('ask the original again when a standby points at a node that is dead', async () => {
    const dead = await nobodyListens()
    let elected = false
    await using standby = await startHttpServer(
      asVault((_request, response) => {
        if (elected) reply(response, 200, {})
        else reply(response, 307, '', { location: `${dead}/v1/${path}` })
        elected = true
      }),
    )
    await using vault = vaultAt([standby.address, dead], { maxRetries: 1 })
    await vault.send({ method: 'GET', path })
    expect(standby.requests.filter(({ url }) => url.endsWith(path))).toHaveLength(2)
  })

  it('whose first hangs are begun with the second by the next request, when the caller had no more time', async () => {
    await using hung = await startHttpServer(() => {})
    await using good = await startHttpServer(ok)
    await using vault = vaultAt([hung.address, good.address], { timeoutMs: 60_000 })
    const signal = AbortSignal.timeout(100)
    await rejection(vault.send({ method: 'GET', path, signal }))
    await vault.send({ method: 'GET', path })
    expect(good.requests.map(({ url }) => url)).toContain(`/v1/${path}`)
  })
})

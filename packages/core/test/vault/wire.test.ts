import { describe, expect, it } from 'vitest'
import { dynamicRole } from '../../src/source/dynamic-role.ts'
import { appRole } from '../../src/vault/auth/approle.ts'
import { token } from '../../src/vault/auth/token.ts'
import { VaultError } from '../../src/vault/errors.ts'
import type { VaultOptions } from '../../src/vault/vault-options.ts'
import { type Answer, asVault, reply, startHttpServer } from '../http-server.ts'
import { rejection, secretsIn } from '../secrets.ts'
import { vaultOf } from '../servers.ts'

const secretToken = 'hvs.the-token-itself'
const secretId = 'the-secret-id-itself'
const path = 'database/creds/app'
const credential = {
  lease_id: `${path}/1`,
  lease_duration: 60,
  renewable: true,
  data: { username: 'v-app', password: 'p' },
}

const vaultOn = (options: VaultOptions) => vaultOf({ auth: token(secretToken), ...options })

/** Reads a credential from a server that gives this answer, and returns the error. */
async function errorFrom(answer: Answer, options: VaultOptions = {}): Promise<unknown> {
  await using server = await startHttpServer(asVault(answer))
  await using vault = vaultOn({ address: server.address, ...options })
  const source = dynamicRole({ open: () => vault, mount: 'database', name: 'app', close: async () => {} })
  return await rejection(
    source.fetch({ outliveMs: 0, pastCache: false, discard: () => {}, signal: AbortSignal.timeout(10_000) }),
  )
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
      'ERR_VAULT_NAMESPACE_LOCKED',
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

  it('an answer that a cache has held for longer than the lease lasts, also when told to ask Vault', async () => {
    const error = await errorFrom((_request, response) => reply(response, 200, credential, { age: '61' }))
    expectError(error, 'ERR_VAULT_BAD_ANSWER', false, /over when it came/)
  })

  it('an answer that took longer than the lease lasts', async () => {
    const error = await errorFrom((_request, response) => {
      setTimeout(() => reply(response, 200, { ...credential, lease_duration: 0.1 }), 150)
    })
    expectError(error, 'ERR_VAULT_BAD_ANSWER', false, /over when it came/)
  })

  it('a cache that gives the credential in use again: it would be revoked under its users', async () => {
    await using server = await startHttpServer(
      asVault((_request, response) => reply(response, 200, credential, { age: '1' })),
    )
    await using vault = vaultOn({ address: server.address })
    const source = dynamicRole({ open: () => vault, mount: 'database', name: 'app', close: async () => {} })
    const fetch = () =>
      source.fetch({ outliveMs: 0, pastCache: false, discard: () => {}, signal: AbortSignal.timeout(5_000) })
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
    const source = dynamicRole({ open: () => vault, mount: 'database', name: 'app', close: async () => {} })
    const { lease } = await source.fetch({
      outliveMs: 0,
      pastCache: false,
      discard: () => {},
      signal: AbortSignal.timeout(5_000),
    })
    expect(lease.end).toBeGreaterThan(1e300)
  })

  it('a login that answers without a token', async () => {
    const error = await errorFrom((_request, response) => reply(response, 200, { data: {} }), {
      auth: appRole({ roleId: 'role', secretId }),
    })
    expectError(error, 'ERR_VAULT_LOGIN_FAILED', false, /auth\/approle\/login without a token/)
  })

  it.each([
    ['as JSON, in JSON', (body: string) => JSON.stringify({ body })],
    ['as Go writes it', (body: string) => body.replaceAll('<', '\\u003c').replaceAll('>', '\\u003e')],
    [
      'in parts',
      (body: string) =>
        Object.values(JSON.parse(body).deep ?? {})
          .flat()
          .join(' and '),
    ],
  ])('a login that repeats what is deep inside it, %s', async (_how, repeated) => {
    const deep = { list: ['one "<secret>"'], pin: 481_516 }
    const error = await errorFrom(
      ({ body }, response) => reply(response, 400, { errors: [`cannot use ${repeated(body)}`] }),
      { auth: ({ login }) => login({ method: 'PUT', path: 'auth/own/enter', body: { deep } }) },
    )
    expect(secretsIn(error, ['<secret>', 'u003csecret', '481516'])).toEqual([])
    expect(error).toMatchObject({ message: expect.stringContaining('[redacted]') })
  })

  it('a login that repeats the secret id in its error', async () => {
    const error = await errorFrom(
      ({ body }, response) => reply(response, 400, { errors: [`cannot use ${body}`] }),
      { auth: appRole({ roleId: 'role', secretId }) },
    )
    expectError(error, 'ERR_VAULT_LOGIN_FAILED', false, /\[redacted\]/)
  })
})

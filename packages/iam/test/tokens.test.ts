import { tmpdir } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import type { CredentialFunction } from '@vault-lease/core'
import { VaultPool } from '@vault-lease/pg'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { cloudSqlIam, entra, rdsIam } from '../src/index.ts'
import { startTokenDatabase, type TokenDatabase } from './token-endpoint.ts'

const tokenLivesS = 6
/** A third of it is left when the next one is asked for. */
const tokenServesMs = (tokenLivesS * 1_000 * 2) / 3

const google = (): Promise<TokenDatabase> =>
  startTokenDatabase(({ url = '' }, newToken) => {
    if (url.startsWith('/computeMetadata/v1/instance/service-accounts/default/token'))
      return { access_token: newToken(), expires_in: tokenLivesS, token_type: 'Bearer' }
    return url.startsWith('/computeMetadata/v1/instance') ? {} : undefined
  })

const azure = (): Promise<TokenDatabase> =>
  startTokenDatabase(({ url = '', headers }, newToken) => {
    const { searchParams } = new URL(url, 'http://endpoint')
    const isAsked =
      searchParams.get('resource') === 'https://ossrdbms-aad.database.windows.net' &&
      headers['x-identity-header'] === 'known to the host only'
    const expiresAt = Math.round(Date.now() / 1_000) + tokenLivesS
    return isAsked
      ? { access_token: newToken(), expires_on: String(expiresAt), token_type: 'Bearer' }
      : undefined
  })

/** Where the vendors' libraries look for what they are to ask. */
function environment({ endpoint }: TokenDatabase): void {
  vi.stubEnv('GCE_METADATA_HOST', endpoint)
  vi.stubEnv('CLOUDSDK_CONFIG', tmpdir())
  vi.stubEnv('IDENTITY_ENDPOINT', `http://${endpoint}/msi/token`)
  vi.stubEnv('IDENTITY_HEADER', 'known to the host only')
}

describe.each([
  ['cloudSqlIam()', google, () => cloudSqlIam({ username: 'app' })],
  ['entra()', azure, () => entra({ username: 'app' })],
])('a pool with %s', (_name, start, source: () => CredentialFunction) => {
  const opened: (() => PromiseLike<unknown>)[] = []
  afterEach(async () => {
    for (const close of opened.splice(0).reverse()) await close()
    vi.unstubAllEnvs()
  })

  async function setUp(): Promise<{ tokens: TokenDatabase; credential: CredentialFunction }> {
    const tokens = await start()
    opened.push(() => tokens[Symbol.asyncDispose]())
    environment(tokens)
    return { tokens, credential: source() }
  }

  function poolOn(
    { host, port, database }: TokenDatabase,
    options: { credential: CredentialFunction; max?: number },
  ): VaultPool {
    const pool = new VaultPool({ host, port, database, ...options })
    opened.push(() => pool.end())
    return pool
  }

  const sessionOf = async (pool: VaultPool): Promise<number> => {
    const { rows } = await pool.query<{ pid: number }>('select pg_backend_pid() as pid, pg_sleep(0.01)')
    return rows[0]?.pid ?? 0
  }

  it('has one token for all connections of all pools, and keeps its sessions when it gets the next', async () => {
    const { tokens, credential } = await setUp()
    const pools = [poolOn(tokens, { credential, max: 4 }), poolOn(tokens, { credential, max: 4 })]
    const sessions = async (): Promise<Set<number>> =>
      new Set(await Promise.all(pools.flatMap((pool) => Array.from({ length: 20 }, () => sessionOf(pool)))))
    const began = performance.now()
    const before = await sessions()
    expect(before.size).toBe(8)
    expect(tokens.given()).toBe(1)
    do {
      expect(await sessions()).toEqual(before)
      await sleep(50)
    } while (tokens.given() < 3)
    expect(performance.now() - began).toBeGreaterThan(1.5 * tokenServesMs)
    expect(await sessions()).toEqual(before)
  })
})

describe('a token that cannot be had', () => {
  it('is told by what the vendor says, and the pool goes on once there is one', async () => {
    await using tokens = await google()
    environment(tokens)
    tokens.falls(true)
    const { host, port, database } = tokens
    const pool = new VaultPool({ host, port, database, credential: cloudSqlIam({ username: 'app' }) })
    try {
      await expect(pool.query('select 1')).rejects.toMatchObject({
        code: 'ERR_CREDENTIALS_UNAVAILABLE',
        cause: {
          code: 'ERR_CREDENTIAL_SOURCE',
          cause: { message: expect.stringContaining('Could not refresh access token') },
        },
      })
      tokens.falls(false)
      await vi.waitFor(() => pool.query('select 1'), { timeout: 10_000 })
    } finally {
      await pool.end()
      vi.unstubAllEnvs()
    }
  })

  it.each([
    [
      cloudSqlIam({
        username: 'app',
        auth: { getClient: async () => ({ getAccessToken: async () => ({}), credentials: {} }) },
      }),
    ],
    [entra({ username: 'app', tokenCredential: { getToken: async () => null } })],
  ])('is an error of its own where the vendor gives none', async (give) => {
    await expect(give(new AbortController())).rejects.toMatchObject({ code: 'ERR_CREDENTIAL_SOURCE' })
  })

  it('is given up with the signal', async () => {
    const asked = vi.fn(async () => null)
    const { signal } = new AbortController()
    await entra({ username: 'app', tokenCredential: { getToken: asked } })({ signal }).catch(() => {})
    expect(asked).toHaveBeenCalledWith(expect.any(String), { abortSignal: signal })
  })
})

describe('a pool with rdsIam()', () => {
  it('logs in with what was signed, and again with what was signed after it', async () => {
    await using tokens = await startTokenDatabase(() => undefined)
    const { host, port, database } = tokens
    const credentials = {
      accessKeyId: 'AKIDEXAMPLE',
      secretAccessKey: 'secret',
      sessionToken: 's'.repeat(900),
    }
    const sign = rdsIam({ hostname: host, port, username: 'app', region: 'eu-central-1', credentials })
    const signed: string[] = []
    const credential: CredentialFunction = async (context) => {
      const given = await sign(context)
      await tokens.accept(given.password)
      signed.push(given.password)
      return given
    }
    const pool = new VaultPool({ host, port, database, credential, max: 2 })
    try {
      await pool.query('select 1')
      // Another second, for another signature.
      await sleep(1_100)
      await pool.lease.rotate()
      await pool.query('select 1')
      expect(new Set(signed).size).toBe(2)
    } finally {
      await pool.end()
    }
  })
})

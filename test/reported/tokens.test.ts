import { setTimeout as sleep } from 'node:timers/promises'
import { type GivenCredential, VaultPool } from '@vault-lease/pg'
import { type DatabaseServer, startPostgres } from '@vault-lease/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const livesMs = 3_000

describe('a pool whose passwords are tokens that end', () => {
  let server: DatabaseServer
  let calls = 0
  beforeAll(async () => {
    server = await startPostgres()
    await server.query('create role app login')
  })
  afterAll(() => server?.stop())

  const credential = async (): Promise<GivenCredential> => {
    const password = `token-${++calls}`
    await server.query(`alter role app password '${password}'`)
    return { username: 'app', password, expiresAt: new Date(Date.now() + livesMs) }
  }

  // One kept the first password for good, and the mending of it asked for another at each acquire.
  it('that nobody uses for longer has the newest for its next connections, and asks once for all of them', async () => {
    const { host, port, database } = server
    const pool = new VaultPool({ credential, host, port, database, max: 5, idleTimeoutMillis: 50 })
    try {
      await pool.query('select 1')
      await sleep(2.5 * livesMs)
      expect(pool.totalCount).toBe(0)
      const before = calls
      await Promise.all(Array.from({ length: 50 }, () => pool.query('select pg_sleep(0.01)')))
      expect(calls - before).toBeLessThanOrEqual(1)
      expect(before).toBeGreaterThanOrEqual(3)
    } finally {
      await pool.end()
    }
  })

  // Drivers fail with "client password must be a string" on the first connection of whoever comes.
  it.each([undefined, null, '', 42, {}])('says so when the password is %o', async (password) => {
    const { host, port, database } = server
    const wrong = async (): Promise<GivenCredential> => ({ username: 'app', password: password as string })
    const pool = new VaultPool({ credential: wrong, host, port, database })
    try {
      await expect(pool.query('select 1')).rejects.toMatchObject({
        code: 'ERR_CREDENTIALS_UNAVAILABLE',
        cause: { code: 'ERR_CREDENTIAL_SOURCE', message: expect.stringContaining('{ username, password }') },
      })
    } finally {
      await pool.end()
    }
  })
})

import { InvalidOptionError } from '@vault-lease/core'
import { describe, expect, it } from 'vitest'
import { vaultPostgres } from '../src/index.ts'

const credential = async (): Promise<{ username: string; password: string }> => ({
  username: 'u',
  password: 'p',
})

describe('the options of vaultPostgres()', () => {
  it.each([
    ['no database', () => vaultPostgres({ credential, host: 'localhost' }), /Which database/],
    ['no database in the URL', () => vaultPostgres('postgres://localhost', { credential }), /Which database/],
    [
      'a user in the URL',
      () => vaultPostgres('postgres://me:pw@localhost/app', { credential }),
      /Leave the user/,
    ],
    ['a user', () => vaultPostgres({ credential, database: 'app', ...{ user: 'me' } }), /Leave out "user"/],
    [
      'a password',
      () => vaultPostgres({ credential, database: 'app', ...{ pass: 'pw' } }),
      /Leave out "pass"/,
    ],
    ['no place', () => vaultPostgres({ credential, database: 'app', max: 0 }), /"max"/],
    [
      'a misspelt one',
      () => vaultPostgres({ database: 'app', ...{ rolle: 'app' } } as never),
      /did you mean "role"/,
    ],
  ])('refuse %s', (_, open, message) => {
    expect(open).toThrow(InvalidOptionError)
    expect(open).toThrow(message)
  })

  it('give a client that can be ended before it is used', async () => {
    const sql = vaultPostgres('postgres://127.0.0.1:1,127.0.0.1:2/app', { credential, ssl: 'require' })
    expect(sql.options).toMatchObject({ database: 'app', pass: '', port: [1, 2] })
    await sql.end()
    await sql.end()
  })
})

import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { InvalidOptionError } from '@vault-lease/core'
import { describe, expect, it } from 'vitest'
import { adviceOn } from '../src/pgbouncer/advice.ts'
import { configurationIn, iniText } from '../src/pgbouncer/configuration.ts'
import { identifier, includeText } from '../src/pgbouncer/include.ts'
import { folderOfNobody } from './pgbouncer-folder.ts'

describe('what PgBouncer reads', () => {
  it('has the login of one database, quoted', () => {
    const text = includeText(
      { host: 'db.internal', port: '5432', database: 'my-app' },
      { username: 'v-app', password: "it's" },
    )
    expect(text.split('\n').slice(1)).toEqual([
      '[databases]',
      `"my-app" = host='db.internal' port='5432' dbname='my-app' user='v-app' password='it''s'`,
    ])
  })

  it.each([
    ['app', 'app'],
    ['App_1', 'App_1'],
    ['1app', '"1app"'],
    ['a"b', '"a""b"'],
  ])('names the database %s as %s', (name, written) => expect(identifier(name)).toBe(written))

  it('is as strict about the server as the URL is', () => {
    const of = (url: string): string =>
      iniText({
        listen: { host: '127.0.0.1', port: 6432 },
        url,
        userlist: '/b/userlist.txt',
        include: '/b/database.ini',
      })
    expect(of('postgresql://db/app')).not.toContain('tls')
    const strict = of('postgresql://db/app?sslmode=verify-full&sslrootcert=/ca.pem')
    expect(strict).toContain('server_tls_sslmode = verify-full\nserver_tls_ca_file = /ca.pem\n')
    expect(strict.endsWith('%include /b/database.ini')).toBe(true)
  })
})

it('says what to do with a folder that lacks its files', () => {
  const folder = folderOfNobody()
  writeFileSync(join(folder, 'pgbouncer.ini'), '')
  const named = { url: 'postgresql://db/app', name: 'app' }
  const configured = (): unknown => configurationIn(folder, named, { host: '127.0.0.1', port: 6432 })
  expect(configured).toThrow(InvalidOptionError)
  expect(configured).toThrow(/--include and --admin/)
  rmSync(folder, { recursive: true })
})

describe('advice on the configuration of a PgBouncer', () => {
  const config = (pool_mode: string, server_login_retry: string): readonly Record<string, string>[] =>
    Object.entries({ pool_mode, server_login_retry }).map(([key, value]) => ({ key, value }))

  it.each([
    { given: config('transaction', '1'), says: [] },
    { given: config('session', '1'), says: ['pool_mode'] },
    { given: config('statement', '0'), says: ['pool_mode'] },
    { given: config('transaction', '15'), says: ['server_login_retry'] },
  ])('is on $says', ({ given, says }) => {
    expect(adviceOn(given).map((advice) => advice.split(' ')[0])).toEqual(says)
  })
})

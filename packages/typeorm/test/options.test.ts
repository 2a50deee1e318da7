import { afterEach, describe, expect, it } from 'vitest'
import { type VaultDataSourceOptions, vaultDataSource } from '../src/index.ts'

describe('the options of vaultDataSource()', () => {
  afterEach(() => {
    delete process.env['PGDATABASE']
  })

  const withOptions = (options: object): VaultDataSourceOptions => ({
    type: 'postgres',
    role: 'app',
    database: 'app',
    ...options,
  })

  it.each<[string, object, RegExp]>([
    ['a misspelt role', { roel: 'app' }, /did you mean "role"/],
    ['a user', { username: 'me' }, /Leave out "username"/],
    ['a password', { password: undefined }, /Leave out "password"/],
    ['a user in the url', { url: 'postgresql://me@db/app' }, /out of "url"/],
    ['a password in the url', { url: 'postgresql://db/app?password=secret' }, /out of "url"/],
    ['no database', { database: undefined }, /Which database\?/],
    ['a url without a database', { database: undefined, url: 'postgresql://db' }, /Which database\?/],
    ['a replica without a database', { replication: { master: { database: 'app' }, slaves: [{}] } }, /Which/],
    [
      'a user of a replica',
      { replication: { master: { database: 'app', username: 'me' }, slaves: [] } },
      /out of "url" and "replication"/,
    ],
    ['a port that is none', { port: 'tcp://10.0.0.1:1' }, /"port" takes a number/],
    ['a port of MySQL that is none', { type: 'mysql', port: -1 }, /"port" takes a number/],
    [
      'a replica at no host',
      { replication: { master: { database: 'app' }, slaves: [{ host: 5 }] } },
      /"host"/,
    ],
    [
      'a selector that there is none of',
      { type: 'mysql', replication: { selector: 'FIRST', master: {}, slaves: [] } },
      /"selector" of "replication" has to be one of "RR", "RANDOM", "ORDER"/,
    ],
    ['a pool without room', { poolSize: -1 }, /"poolSize" takes a number, 0 at least/],
    ['a role with a slash', { role: 'a/b' }, /role "a\/b" holds "\/"/],
    [
      'another database',
      { type: 'sqlite' },
      /has to be one of "postgres", "mysql", "mariadb", "mongodb", and not "sqlite"/,
    ],
    ['a user in the url of MySQL', { type: 'mysql', url: 'mysql://me@db/app' }, /out of "url"/],
    [
      'a password of a replica of MariaDB',
      { type: 'mariadb', replication: { master: {}, slaves: [{ password: 'secret' }] } },
      /out of "url" and "replication"/,
    ],
  ])('are refused, before anything is sent, with %s', (_name, options, message) => {
    expect(() => vaultDataSource(withOptions(options))).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_OPTION', message: expect.stringMatching(message) }),
    )
  })

  it('take the database from the url, or from the environment', () => {
    vaultDataSource(withOptions({ database: undefined, url: 'postgresql://db/app' }))
    process.env['PGDATABASE'] = 'app'
    vaultDataSource(withOptions({ database: undefined }))
  })

  it('need no database on MySQL, which has one to choose in every statement', () => {
    vaultDataSource({ type: 'mysql', role: 'app' })
  })

  it('go to TypeORM as they are, without ours', () => {
    const options = vaultDataSource(
      withOptions({ host: 'db', poolSize: 3, vault: { address: 'http://vault' } }),
    )
    expect(options).toEqual({
      type: 'postgres',
      host: 'db',
      database: 'app',
      poolSize: 3,
      cache: { provider: expect.any(Function) },
    })
  })
})

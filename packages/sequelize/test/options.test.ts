import { Sequelize } from 'sequelize'
import { describe, expect, it } from 'vitest'
import { type VaultSequelizeOptions, vaultSequelize } from '../src/index.ts'

describe('the options of vaultSequelize()', () => {
  it.each<[string, object, RegExp]>([
    ['a misspelt role', { roel: 'app' }, /did you mean "role"/],
    ['a user', { username: 'me' }, /Leave out "username"/],
    ['a password', { password: 'secret' }, /Leave out "password"/],
    ['a user for the driver', { dialectOptions: { user: 'me' } }, /Leave out "user"/],
    ['a connection string for the driver', { dialectOptions: { uri: 'mysql://db' } }, /Leave out "uri"/],
    [
      'a user of the writer',
      { replication: { write: { username: 'me' }, read: [] } },
      /Leave out "username"/,
    ],
    ['a role with a slash', { role: 'a/b' }, /role "a\/b" holds "\/"/],
    [
      'another database',
      { dialect: 'mssql' },
      /has to be one of "postgres", "mysql", "mariadb", and not "mssql"/,
    ],
    ['pg-native', { native: true }, /Leave out "native"/],
    ['setRole on MySQL', { dialect: 'mysql', setRole: 'owner' }, /"setRole" is for "postgres"/],
    ['setRole of no name', { dialect: 'postgres', setRole: 'none' }, /"setRole" takes the name of a role/],
  ])('may not be %s', (_name, options, message) => {
    const all = { dialect: 'postgres', role: 'app', database: 'app', ...options } as VaultSequelizeOptions
    expect(() => vaultSequelize(all)).toThrow(message)
  })

  it.each<[string, object, RegExp]>([
    ['no database', { dialect: 'postgres' }, /Which database\?/],
    ['a port that is none', { dialect: 'mysql', port: 99_999, database: 'app' }, /"port"/],
    [
      'a stream of their own on mariadb',
      { dialect: 'mariadb', database: 'app', dialectOptions: { stream: () => {} } },
      /"stream" is not supported/,
    ],
  ])('reject the first query with %s', async (_name, options, message) => {
    const db = new Sequelize(vaultSequelize({ role: 'app', ...options } as VaultSequelizeOptions))
    await expect(db.authenticate()).rejects.toMatchObject({
      code: 'ERR_INVALID_OPTION',
      message: expect.stringMatching(message),
    })
    await db.close()
  })

  it('leave everything else to Sequelize', () => {
    const define = { underscored: true }
    const options = vaultSequelize({
      dialect: 'postgres',
      role: 'app',
      setRole: 'owner',
      define,
      timezone: '+02:00',
    })
    expect(options).toEqual({
      dialect: 'postgres',
      define,
      timezone: '+02:00',
      hooks: { beforeConnect: [expect.any(Function)] },
    })
  })

  it.each(['connect', 'close', 'lib', 'pool', 'dialect'])(
    'say that a Sequelize without "%s" is not supported',
    async (member) => {
      const db = new Sequelize(vaultSequelize({ dialect: 'postgres', role: 'app', database: 'app' }))
      const connectionManager = Object.create(db.connectionManager, { [member]: { value: undefined } })
      const broken = Object.create(db, { connectionManager: { value: connectionManager } })
      const [hook] = (db as unknown as { options: { hooks: { beforeConnect: (() => void)[] } } }).options
        .hooks.beforeConnect
      expect(() => hook?.call(broken)).toThrow(/This version of Sequelize is not supported/)
      await db.close()
    },
  )
})

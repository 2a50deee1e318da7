import type { LeaseManager } from '@vault-lease/core'
import {
  type CreationOptional,
  DataTypes,
  type InferAttributes,
  type InferCreationAttributes,
  Model,
  type Options,
  Sequelize,
} from 'sequelize'
import { describe, expect, expectTypeOf, it } from 'vitest'
import { type VaultSequelizeOptions, vaultSequelize } from '../src/index.ts'

class User extends Model<InferAttributes<User>, InferCreationAttributes<User>> {
  declare id: CreationOptional<number>
  declare name: string
}

/** What compiles and what does not is checked by `npm run check`. */
describe('the types of vaultSequelize()', () => {
  it('are the options of a Sequelize', () => {
    expectTypeOf(vaultSequelize).returns.toEqualTypeOf<Options>()
    expectTypeOf(vaultSequelize).parameter(0).toEqualTypeOf<VaultSequelizeOptions | undefined>()
    expectTypeOf<VaultSequelizeOptions['lease']>().toEqualTypeOf<LeaseManager | undefined>()
    expectTypeOf<VaultSequelizeOptions['dialect']>().toEqualTypeOf<
      'postgres' | 'mysql' | 'mariadb' | undefined
    >()
    for (const name of ['pool', 'define', 'hooks', 'dialectOptions', 'logging', 'retry'] as const)
      expectTypeOf<VaultSequelizeOptions[typeof name]>().toEqualTypeOf<Options[typeof name]>()
  })

  it('leave models as they are', async () => {
    const sequelize = new Sequelize(vaultSequelize({ dialect: 'postgres', role: 'app', database: 'app' }))
    User.init(
      { id: { type: DataTypes.INTEGER, primaryKey: true, autoIncrement: true }, name: DataTypes.TEXT },
      { sequelize },
    )
    expectTypeOf(() => User.findAll()).returns.resolves.toEqualTypeOf<User[]>()
    expectTypeOf<User['name']>().toEqualTypeOf<string>()
    await sequelize.close()
  })

  it('take no user and no password, nowhere', () => {
    // @ts-expect-error: it is "role"
    const misspelt: VaultSequelizeOptions = { roel: 'app' }
    // @ts-expect-error: Vault gives it
    const withPassword: VaultSequelizeOptions = { password: 'secret' }
    const ofReplica: VaultSequelizeOptions = {
      // @ts-expect-error: Vault gives it
      replication: { write: {}, read: [{ username: 'me' }] },
    }
    // @ts-expect-error: another database
    const ofAnother: VaultSequelizeOptions = { dialect: 'mssql' }
    expect([misspelt, withPassword, ofReplica, ofAnother]).toHaveLength(4)
  })
})

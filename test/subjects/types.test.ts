import type { AdapterOptions, AuthFunction, CredentialFunction, Login, VaultOptions } from '@vault-lease/core'
import type {
  VaultConnectionOptions,
  VaultMySql2ConnectionOptions,
  VaultPgConnectionOptions,
} from '@vault-lease/knex'
import type { VaultMikroOrmOptions } from '@vault-lease/mikro-orm'
import type { VaultMongoClientOptions } from '@vault-lease/mongodb'
import type { VaultConnectOptions } from '@vault-lease/mongoose'
import type { VaultPoolOptions as MySql2PoolOptions } from '@vault-lease/mysql2'
import type { VaultPoolOptions as PgPoolOptions } from '@vault-lease/pg'
import type { VaultAdapterOptions, VaultDatabaseUrlOptions } from '@vault-lease/prisma'
import type { VaultSequelizeOptions } from '@vault-lease/sequelize'
import type { VaultDataSourceOptions, VaultMySqlOptions, VaultPostgresOptions } from '@vault-lease/typeorm'
import { describe, expect, expectTypeOf, it } from 'vitest'

/** What compiles and what does not is checked by `npm run check`. */
describe('the types of every adapter', () => {
  it('take every option of a lease', () => {
    expectTypeOf<keyof AdapterOptions>().toExtend<keyof PgPoolOptions>()
    expectTypeOf<PgPoolOptions>().toExtend<AdapterOptions>()
    expectTypeOf<keyof AdapterOptions>().toExtend<keyof MySql2PoolOptions>()
    expectTypeOf<MySql2PoolOptions>().toExtend<AdapterOptions>()
    expectTypeOf<keyof AdapterOptions>().toExtend<keyof VaultConnectionOptions>()
    expectTypeOf<VaultConnectionOptions>().toExtend<AdapterOptions>()
    expectTypeOf<keyof AdapterOptions>().toExtend<keyof VaultDataSourceOptions>()
    expectTypeOf<VaultDataSourceOptions>().toExtend<AdapterOptions>()
    expectTypeOf<keyof AdapterOptions>().toExtend<keyof VaultSequelizeOptions>()
    expectTypeOf<VaultSequelizeOptions>().toExtend<AdapterOptions>()
    expectTypeOf<keyof AdapterOptions>().toExtend<keyof VaultMikroOrmOptions>()
    expectTypeOf<VaultMikroOrmOptions>().toExtend<AdapterOptions>()
    expectTypeOf<keyof AdapterOptions>().toExtend<keyof VaultAdapterOptions>()
    expectTypeOf<VaultAdapterOptions>().toExtend<AdapterOptions>()
    expectTypeOf<keyof AdapterOptions>().toExtend<keyof VaultDatabaseUrlOptions>()
    expectTypeOf<VaultDatabaseUrlOptions>().toExtend<AdapterOptions>()
    expectTypeOf<keyof AdapterOptions>().toExtend<keyof VaultMongoClientOptions>()
    expectTypeOf<VaultMongoClientOptions>().toExtend<AdapterOptions>()
    expectTypeOf<keyof AdapterOptions>().toExtend<keyof VaultConnectOptions>()
    expectTypeOf<VaultConnectOptions>().toExtend<AdapterOptions>()
  })

  it('take one source of a lease', () => {
    // @ts-expect-error: a lease has one source
    const two: PgPoolOptions = { role: 'app', staticRole: 'app' }
    // @ts-expect-error: a lease has one source
    const others: VaultMongoClientOptions = { credentialFile: '/run/credential', role: 'app' }
    const one: PgPoolOptions = { staticRole: 'app' }
    expect([two, others, one]).toHaveLength(3)
  })

  it('take setRole where there are roles to set', () => {
    expectTypeOf<PgPoolOptions['setRole']>().toEqualTypeOf<string | undefined>()
    expectTypeOf<VaultPgConnectionOptions['setRole']>().toEqualTypeOf<string | undefined>()
    expectTypeOf<VaultPostgresOptions['setRole']>().toEqualTypeOf<string | undefined>()
    expectTypeOf<VaultMikroOrmOptions['setRole']>().toEqualTypeOf<string | undefined>()
    expectTypeOf<VaultSequelizeOptions['setRole']>().toEqualTypeOf<string | undefined>()
    expectTypeOf<VaultMySqlOptions>().not.toHaveProperty('setRole')
    expectTypeOf<VaultMySql2ConnectionOptions>().not.toHaveProperty('setRole')
    expectTypeOf<VaultMongoClientOptions>().not.toHaveProperty('setRole')
  })

  it('tell a function what it gets and what it may give', () => {
    expectTypeOf<ReturnType<AuthFunction>>().resolves.toEqualTypeOf<string | Login>()
    expectTypeOf<Parameters<CredentialFunction>>().toEqualTypeOf<[{ readonly signal: AbortSignal }]>()
    expectTypeOf<VaultOptions['address']>().toEqualTypeOf<string | readonly string[] | undefined>()
    // @ts-expect-error: the password is missing
    const half: CredentialFunction = async () => ({ username: 'app' })
    expect(half).toBeTypeOf('function')
  })
})

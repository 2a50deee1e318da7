import type { TypeOrmModuleOptions } from '@nestjs/typeorm'
import { DataSource, type DataSourceOptions, type Repository } from 'typeorm'
import { describe, expect, expectTypeOf, it } from 'vitest'
import {
  type LeaseManager,
  type VaultDataSourceOptions,
  type VaultMongoOptions,
  type VaultMySqlOptions,
  type VaultPostgresOptions,
  vaultDataSource,
} from '../src/index.ts'
import { type Item, Items } from './servers.ts'

type PostgresOptions = Extract<DataSourceOptions, { type: 'postgres' }>
type MongoOptions = Extract<DataSourceOptions, { type: 'mongodb' }>
type MySqlOptions = Extract<DataSourceOptions, { type: 'mysql' | 'mariadb' }>

/** What compiles and what does not is checked by `npm run check`. */
describe('the types of vaultDataSource()', () => {
  const postgres = vaultDataSource({ type: 'postgres', role: 'app', database: 'app', entities: [Items] })
  const mysql = vaultDataSource({ type: 'mysql', role: 'app', charset: 'utf8mb4', entities: [Items] })
  const mongodb = vaultDataSource({ type: 'mongodb', role: 'app', database: 'app', entities: [Items] })
  const either = (options: VaultDataSourceOptions) => vaultDataSource(options)

  it('fit a DataSource and the module of Nest', () => {
    expectTypeOf(either).returns.toExtend<DataSourceOptions>()
    expectTypeOf(either).returns.toExtend<TypeOrmModuleOptions>()
    const items = () => new DataSource(mysql).getRepository(Items)
    expectTypeOf(items).returns.toEqualTypeOf<Repository<Item>>()
  })

  it('are those of TypeORM for the type of database', () => {
    expectTypeOf(postgres).toEqualTypeOf<PostgresOptions>()
    expectTypeOf(mysql).toEqualTypeOf<MySqlOptions>()
    expectTypeOf(mongodb).toEqualTypeOf<MongoOptions>()
    expectTypeOf(either).returns.toEqualTypeOf<PostgresOptions | MySqlOptions | MongoOptions>()
    expectTypeOf<VaultDataSourceOptions['lease']>().toEqualTypeOf<LeaseManager | undefined>()
    expectTypeOf<VaultDataSourceOptions['type']>().toEqualTypeOf<
      'postgres' | 'mysql' | 'mariadb' | 'mongodb'
    >()
  })

  it('take the options of TypeORM but the user and the password', () => {
    expectTypeOf<VaultPostgresOptions['poolSize']>().toEqualTypeOf<PostgresOptions['poolSize']>()
    expectTypeOf<VaultPostgresOptions['ssl']>().toEqualTypeOf<PostgresOptions['ssl']>()
    expectTypeOf<VaultPostgresOptions['uuidExtension']>().toEqualTypeOf<PostgresOptions['uuidExtension']>()
    expectTypeOf<VaultMySqlOptions['timezone']>().toEqualTypeOf<MySqlOptions['timezone']>()
    expectTypeOf<VaultMongoOptions['replicaSet']>().toEqualTypeOf<MongoOptions['replicaSet']>()
    // @ts-expect-error: it is "role"
    const misspelt: VaultDataSourceOptions = { type: 'postgres', roel: 'app' }
    // @ts-expect-error: Vault gives it
    const withPassword: VaultDataSourceOptions = { type: 'mysql', password: 'secret' }
    // @ts-expect-error: Vault gives it
    const inReplica: VaultMySqlOptions['replication'] = { master: { username: 'me' }, slaves: [] }
    // @ts-expect-error: an option of PostgreSQL
    const ofAnother: VaultDataSourceOptions = { type: 'mariadb', uuidExtension: 'pgcrypto' }
    // @ts-expect-error: not a database that Vault makes users for
    const elsewhere: VaultDataSourceOptions = { type: 'sqlite', database: 'app' }
    expect([misspelt, withPassword, inReplica, ofAnother, elsewhere]).toHaveLength(5)
  })

  it('do not compile in a call with a misspelt option either', () => {
    // @ts-expect-error: it is "role"
    expect(() => vaultDataSource({ type: 'mysql', roel: 'app' })).toThrow('did you mean "role"')
    // @ts-expect-error: it is "charset"
    vaultDataSource({ type: 'mysql', role: 'app', charzet: 'utf8mb4' })
  })
})

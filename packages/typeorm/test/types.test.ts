import type { TypeOrmModuleOptions } from '@nestjs/typeorm'
import { DataSource, type DataSourceOptions, type Repository } from 'typeorm'
import { describe, expect, expectTypeOf, it } from 'vitest'
import {
  type LeaseManager,
  type VaultDataSourceOptions,
  type VaultPostgresOptions,
  vaultDataSource,
} from '../src/index.ts'
import { type Item, Items } from './servers.ts'

type PostgresOptions = Extract<DataSourceOptions, { type: 'postgres' }>

/** What compiles and what does not is checked by `npm run check`. */
describe('the types of vaultDataSource()', () => {
  it('fit a DataSource and the module of Nest', () => {
    const options = vaultDataSource({ type: 'postgres', role: 'app', database: 'app', entities: [Items] })
    expectTypeOf(options).toExtend<DataSourceOptions>()
    expectTypeOf(options).toExtend<TypeOrmModuleOptions>()
    const items = () => new DataSource(options).getRepository(Items)
    expectTypeOf(items).returns.toEqualTypeOf<Repository<Item>>()
  })

  it('have no any where they are ours', () => {
    expectTypeOf(vaultDataSource).parameter(0).toEqualTypeOf<VaultDataSourceOptions>()
    expectTypeOf(vaultDataSource).returns.toEqualTypeOf<PostgresOptions>()
    expectTypeOf<VaultDataSourceOptions['lease']>().toEqualTypeOf<LeaseManager | undefined>()
  })

  it('take the options of TypeORM but the user and the password', () => {
    expectTypeOf<VaultPostgresOptions['poolSize']>().toEqualTypeOf<PostgresOptions['poolSize']>()
    expectTypeOf<VaultPostgresOptions['ssl']>().toEqualTypeOf<PostgresOptions['ssl']>()
    expectTypeOf<VaultPostgresOptions['uuidExtension']>().toEqualTypeOf<PostgresOptions['uuidExtension']>()
    // @ts-expect-error: it is "role"
    const misspelt: VaultDataSourceOptions = { type: 'postgres', roel: 'app' }
    // @ts-expect-error: Vault gives it
    const withPassword: VaultDataSourceOptions = { type: 'postgres', password: 'secret' }
    // @ts-expect-error: Vault gives it
    const inReplica: VaultDataSourceOptions['replication'] = { master: { username: 'me' }, slaves: [] }
    // @ts-expect-error: not a database that Vault makes users for
    const elsewhere: VaultDataSourceOptions = { type: 'sqlite', database: 'app' }
    expect([misspelt, withPassword, inReplica, elsewhere]).toHaveLength(4)
  })
})

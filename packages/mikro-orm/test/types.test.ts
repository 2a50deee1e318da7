import type { EntityManager, Options } from '@mikro-orm/core'
import { MariaDbDriver } from '@mikro-orm/mariadb'
import { MySqlDriver } from '@mikro-orm/mysql'
import { MikroORM, PostgreSqlDriver, type SqlEntityManager } from '@mikro-orm/postgresql'
import type { LeaseManager } from '@vault-lease/core'
import { describe, expect, expectTypeOf, it } from 'vitest'
import { type VaultMikroOrmOptions, vaultMikroOrm } from '../src/index.ts'
import { Items } from './servers.ts'

/** What compiles and what does not is checked by `npm run check`. */
describe('the types of vaultMikroOrm()', () => {
  it('are the options of a MikroORM with that driver', () => {
    const options = vaultMikroOrm({ driver: PostgreSqlDriver, role: 'app', dbName: 'app' })
    expectTypeOf(options).toEqualTypeOf<Options<PostgreSqlDriver>>()
    expectTypeOf(vaultMikroOrm({ driver: MySqlDriver, role: 'app' })).toEqualTypeOf<Options<MySqlDriver>>()
    expectTypeOf(vaultMikroOrm({ driver: MariaDbDriver, role: 'app' })).toEqualTypeOf<
      Options<MariaDbDriver>
    >()
    expectTypeOf<VaultMikroOrmOptions['lease']>().toEqualTypeOf<LeaseManager | undefined>()
    expectTypeOf<VaultMikroOrmOptions['pool']>().toEqualTypeOf<Options['pool']>()
  })

  it('leave entities and their managers as they are', () => {
    const options = {
      driver: PostgreSqlDriver,
      role: 'app',
      dbName: 'app',
      entities: [Items],
      connect: false,
    }
    const orm = MikroORM.initSync(vaultMikroOrm(options))
    expectTypeOf(orm.em).toExtend<SqlEntityManager<PostgreSqlDriver> & EntityManager>()
    expectTypeOf(() => orm.em.findOneOrFail(Items, 1))
      .returns.resolves.toHaveProperty('name')
      .toBeString()
  })

  it('take no user and no password, nowhere', () => {
    const driver = PostgreSqlDriver
    // @ts-expect-error: it is "role"
    const misspelt: VaultMikroOrmOptions<PostgreSqlDriver> = { driver, roel: 'app' }
    // @ts-expect-error: Vault gives it
    const withPassword: VaultMikroOrmOptions<PostgreSqlDriver> = { driver, password: 'secret' }
    // @ts-expect-error: Vault gives it
    const ofReplica: VaultMikroOrmOptions<PostgreSqlDriver> = { driver, replicas: [{ user: 'me' }] }
    // @ts-expect-error: which database?
    const ofNone: VaultMikroOrmOptions<PostgreSqlDriver> = { role: 'app' }
    expect([misspelt, withPassword, ofReplica, ofNone]).toHaveLength(4)
  })
})

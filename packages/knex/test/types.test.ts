import type { Knex } from 'knex'
import { describe, expect, expectTypeOf, it } from 'vitest'
import {
  type LeaseManager,
  type VaultConnection,
  type VaultConnectionOptions,
  type VaultMySql2ConnectionOptions,
  type VaultPgConnectionOptions,
  vaultConnection,
} from '../src/index.ts'

/** What compiles and what does not is checked by `npm run check`. */
describe('the types of vaultConnection()', () => {
  it('fit the connection of a knex', () => {
    const config: Knex.Config = {
      client: 'pg',
      connection: vaultConnection({ role: 'app', database: 'app' }),
    }
    expect(config.connection).toBeTypeOf('function')
    expectTypeOf<VaultConnection>().toExtend<NonNullable<Knex.Config['connection']>>()
  })

  it('have no any where they are ours', () => {
    expectTypeOf(vaultConnection).parameter(0).toEqualTypeOf<VaultConnectionOptions | undefined>()
    expectTypeOf<Awaited<ReturnType<VaultConnection>>>().toEqualTypeOf<
      Knex.PgConnectionConfig | Knex.MySql2ConnectionConfig
    >()
    expectTypeOf<VaultConnectionOptions['lease']>().toEqualTypeOf<LeaseManager | undefined>()
  })

  it('take the options of the driver but the user and the password', () => {
    expectTypeOf<VaultConnectionOptions['host']>().toEqualTypeOf<string | undefined>()
    expectTypeOf<VaultPgConnectionOptions['ssl']>().toEqualTypeOf<Knex.PgConnectionConfig['ssl']>()
    expectTypeOf<VaultMySql2ConnectionOptions['ssl']>().toEqualTypeOf<Knex.MySql2ConnectionConfig['ssl']>()
    // @ts-expect-error: it is "role"
    const misspelt: VaultConnectionOptions = { roel: 'app' }
    // @ts-expect-error: Vault gives it
    const withPassword: VaultConnectionOptions = { password: 'secret' }
    expect([misspelt, withPassword]).toHaveLength(2)
  })
})

import type pg from 'pg'
import type { PoolClient, QueryResult } from 'pg'
import { describe, expect, expectTypeOf, it } from 'vitest'
import type { LeaseManager, Vault, VaultOptions, VaultPool, VaultPoolOptions } from '../src/index.ts'

/** What compiles and what does not is checked by `npm run check`. */
describe('the types of VaultPool', () => {
  it('are those of pg.Pool', () => {
    expectTypeOf<VaultPool>().toExtend<pg.Pool>()
    expectTypeOf<ReturnType<typeof queryRows>>().resolves.toEqualTypeOf<QueryResult<{ id: number }>>()
    expectTypeOf<ReturnType<typeof connected>>().resolves.toEqualTypeOf<PoolClient>()
  })

  it('have no any where they are ours', () => {
    expectTypeOf<VaultPool['lease']>().toEqualTypeOf<LeaseManager>()
    expectTypeOf<VaultPoolOptions['vault']>().toEqualTypeOf<Vault | VaultOptions | undefined>()
    expectTypeOf<ConstructorParameters<typeof VaultPool>[0]>().toEqualTypeOf<VaultPoolOptions | undefined>()
  })

  it('take the options of pg.Pool but the user and the password', () => {
    expectTypeOf<VaultPoolOptions['max']>().toEqualTypeOf<number | undefined>()
    expectTypeOf<VaultPoolOptions['ssl']>().toEqualTypeOf<pg.PoolConfig['ssl']>()
    // @ts-expect-error: a number
    const wrong: VaultPoolOptions = { max: 'many' }
    expectTypeOf<{ user: string }>().not.toExtend<VaultPoolOptions>()
    // @ts-expect-error: it is "role"
    const misspelt: VaultPoolOptions = { roel: 'app' }
    // @ts-expect-error: Vault gives it
    const withPassword: VaultPoolOptions = { password: 'secret' }
    expect([misspelt, withPassword, wrong]).toHaveLength(3)
  })
})

function queryRows(pool: VaultPool) {
  return pool.query<{ id: number }>('select id from items')
}

function connected(pool: VaultPool) {
  return pool.connect()
}

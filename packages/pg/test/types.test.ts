import type pg from 'pg'
import type { PoolClient, QueryResult } from 'pg'
import { describe, expect, expectTypeOf, it } from 'vitest'
import type { VaultPool, VaultPoolOptions } from '../src/index.ts'

/** What compiles and what does not is checked by `npm run check`. */
describe('the types of VaultPool', () => {
  it('are those of pg.Pool', () => {
    expectTypeOf<VaultPool>().toExtend<pg.Pool>()
    expectTypeOf<ReturnType<typeof queryRows>>().resolves.toEqualTypeOf<QueryResult<{ id: number }>>()
    expectTypeOf<ReturnType<typeof connected>>().resolves.toEqualTypeOf<PoolClient>()
  })

  it('take the options of pg.Pool but the user and the password', () => {
    expectTypeOf<VaultPoolOptions['max']>().toEqualTypeOf<number | undefined>()
    expectTypeOf<VaultPoolOptions['ssl']>().toEqualTypeOf<pg.PoolConfig['ssl']>()
    expectTypeOf<{ user: string }>().not.toExtend<VaultPoolOptions>()
    // @ts-expect-error: it is "role"
    const misspelt: VaultPoolOptions = { roel: 'app' }
    // @ts-expect-error: Vault gives it
    const withPassword: VaultPoolOptions = { password: 'secret' }
    expect([misspelt, withPassword]).toHaveLength(2)
  })
})

function queryRows(pool: VaultPool) {
  return pool.query<{ id: number }>('select id from items')
}

function connected(pool: VaultPool) {
  return pool.connect()
}

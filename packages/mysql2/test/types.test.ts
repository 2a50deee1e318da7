import type { LeaseManager, Vault, VaultOptions } from '@vault-lease/core'
import type mysql from 'mysql2'
import type { RowDataPacket } from 'mysql2'
import type promised from 'mysql2/promise'
import { describe, expect, expectTypeOf, it } from 'vitest'
import type { VaultPool, VaultPoolOptions } from '../src/index.ts'
import type {
  VaultPool as VaultPromisePool,
  VaultPoolOptions as VaultPromisePoolOptions,
} from '../src/promise.ts'

/** What compiles and what does not is checked by `npm run check`. */
describe('the types of VaultPool', () => {
  it('are those of mysql2 and of mysql2/promise', () => {
    expectTypeOf<VaultPool>().toExtend<mysql.Pool>()
    expectTypeOf<VaultPromisePool>().toExtend<promised.Pool>()
    expectTypeOf(queryRows).returns.resolves.toEqualTypeOf<Row[]>()
    expectTypeOf(connected).returns.resolves.toEqualTypeOf<promised.PoolConnection>()
  })

  it('serve a query builder that wants a pool of mysql2', () => {
    expectTypeOf<VaultPool>().toExtend<Parameters<typeof takesEitherPool>[0]>()
    expectTypeOf<VaultPromisePool>().toExtend<Parameters<typeof takesEitherPool>[0]>()
    expectTypeOf<VaultPool>().toExtend<KyselyPool>()
  })

  it('have no any where they are ours', () => {
    expectTypeOf<VaultPool['lease']>().toEqualTypeOf<LeaseManager>()
    expectTypeOf<VaultPromisePool['lease']>().toEqualTypeOf<LeaseManager>()
    expectTypeOf<VaultPoolOptions['vault']>().toEqualTypeOf<Vault | VaultOptions | undefined>()
    expectTypeOf<ReturnType<VaultPool['end']>>().toEqualTypeOf<Promise<void>>()
    expectTypeOf<VaultPromisePoolOptions>().toEqualTypeOf<VaultPoolOptions>()
  })

  it('take the options of mysql2 but the user and the password', () => {
    expectTypeOf<VaultPoolOptions['connectionLimit']>().toEqualTypeOf<number | undefined>()
    expectTypeOf<VaultPoolOptions['ssl']>().toEqualTypeOf<mysql.PoolOptions['ssl']>()
    expectTypeOf<{ user: string }>().not.toExtend<VaultPoolOptions>()
    // @ts-expect-error: a number
    const wrong: VaultPoolOptions = { connectionLimit: 'many' }
    // @ts-expect-error: it is "role"
    const misspelt: VaultPoolOptions = { roel: 'app' }
    // @ts-expect-error: Vault gives it
    const withPassword: VaultPoolOptions = { password: 'secret' }
    // @ts-expect-error: Vault gives it
    const withPassword1: VaultPoolOptions = { password1: 'secret' }
    expect([misspelt, withPassword, withPassword1, wrong]).toHaveLength(4)
  })
})

interface Row extends RowDataPacket {
  id: number
}

/** As drizzle does. */
declare function takesEitherPool(pool: mysql.Pool | promised.Pool): void

/** As kysely does. */
interface KyselyPool {
  getConnection(callback: (error: unknown, connection: { release(): void }) => void): void
  end(callback: (error: unknown) => void): void
}

async function queryRows(pool: VaultPromisePool): Promise<Row[]> {
  const [rows] = await pool.query<Row[]>('select id from items')
  return rows
}

function connected(pool: VaultPromisePool) {
  return pool.getConnection()
}

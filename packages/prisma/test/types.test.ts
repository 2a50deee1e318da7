import type { PrismaMariaDb } from '@prisma/adapter-mariadb'
import type { PrismaPg } from '@prisma/adapter-pg'
import type { SqlDriverAdapterFactory } from '@prisma/driver-adapter-utils'
import type { PoolConfig } from 'pg'
import { describe, expect, expectTypeOf, it } from 'vitest'
import {
  type LeaseManager,
  type MySqlAdapterOptions,
  type PostgresAdapterOptions,
  type PrismaMariaDbOptions,
  type PrismaPgOptions,
  type VaultAdapterOptions,
  vaultAdapter,
} from '../src/index.ts'
import { PrismaClient as MySqlClient } from './generated/mysql/client.ts'
import { PrismaClient } from './generated/postgresql/client.ts'

const place = { role: 'app', database: 'app', vault: { address: 'http://127.0.0.1:1' } }

/** What compiles and what does not is checked by `npm run check`. */
describe('the types of vaultAdapter()', () => {
  it('leave to a client the types of its models', () => {
    const db = new PrismaClient({ adapter: vaultAdapter({ provider: 'postgresql', ...place }) })
    const maria = new MySqlClient({ adapter: vaultAdapter({ provider: 'mysql', ...place }) })
    const found = () => db.author.findFirstOrThrow({ include: { books: true } })
    const foundThere = () => maria.book.findFirstOrThrow({ select: { title: true } })
    expectTypeOf<Awaited<ReturnType<typeof found>>['books'][number]['title']>().toEqualTypeOf<string>()
    expectTypeOf<Awaited<ReturnType<typeof foundThere>>>().toEqualTypeOf<{ title: string }>()
    expect(db).toBeDefined()
  })

  it('have no any where they are ours', () => {
    expectTypeOf(vaultAdapter).parameter(0).toEqualTypeOf<VaultAdapterOptions>()
    expectTypeOf(vaultAdapter).returns.toEqualTypeOf<SqlDriverAdapterFactory>()
    expectTypeOf<PostgresAdapterOptions['lease']>().toEqualTypeOf<LeaseManager | undefined>()
    expectTypeOf<MySqlAdapterOptions['lease']>().toEqualTypeOf<LeaseManager | undefined>()
  })

  it("take the options of the driver and of Prisma's adapter", () => {
    expectTypeOf<PostgresAdapterOptions['ssl']>().toEqualTypeOf<PoolConfig['ssl']>()
    expectTypeOf<MySqlAdapterOptions['connectionLimit']>().toEqualTypeOf<number | undefined>()
    type OfPrisma<Adapter extends abstract new (...args: never) => unknown> = NonNullable<
      ConstructorParameters<Adapter>[1]
    >
    expectTypeOf<PrismaPgOptions>().toExtend<OfPrisma<typeof PrismaPg>>()
    expectTypeOf<PrismaMariaDbOptions>().toExtend<OfPrisma<typeof PrismaMariaDb>>()
  })

  it('know neither misspelt options of ours nor a user and a password', () => {
    // @ts-expect-error: it is "role"
    const misspelt: VaultAdapterOptions = { provider: 'postgresql', roel: 'app' }
    // @ts-expect-error: it is "role"
    const misspeltThere: VaultAdapterOptions = { provider: 'mysql', roel: 'app' }
    // @ts-expect-error: Vault gives it
    const withPassword: VaultAdapterOptions = { provider: 'postgresql', password: 'secret' }
    // @ts-expect-error: Vault gives it
    const withUser: VaultAdapterOptions = { provider: 'mysql', user: 'me' }
    // @ts-expect-error: the driver's own pool has it
    const withMinimum: VaultAdapterOptions = { provider: 'mysql', minimumIdle: 1 }
    // @ts-expect-error: it is "postgresql"
    const unknown: VaultAdapterOptions = { provider: 'postgres' }
    expect([misspelt, misspeltThere, withPassword, withUser, withMinimum, unknown]).toHaveLength(6)
  })
})

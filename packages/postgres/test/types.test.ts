import type { LeaseManager } from '@vault-lease/core'
import postgres from 'postgres'
import { expectTypeOf, it } from 'vitest'
import { type VaultSql, vaultPostgres } from '../src/index.ts'

const point = {
  to: 600,
  from: [600],
  serialize: ({ x, y }: { x: number; y: number }) => `(${x},${y})`,
  parse: (raw: string) => ({ x: Number(raw[1]), y: 0 }),
}

it('keeps the types of postgres()', () => {
  const open = () => vaultPostgres('postgres://localhost/app', { role: 'app' })
  const plain = () => postgres('postgres://localhost/app')
  expectTypeOf(open).returns.toExtend<ReturnType<typeof plain>>()
  expectTypeOf(open).returns.toExtend<VaultSql>()
  expectTypeOf(open).returns.toHaveProperty('lease').toEqualTypeOf<LeaseManager>()
  const custom = () => vaultPostgres({ role: 'app', database: 'app', types: { point } })
  const plainCustom = () => postgres({ database: 'app', types: { point } })
  expectTypeOf(custom).returns.toExtend<ReturnType<typeof plainCustom>>()
  expectTypeOf<ReturnType<typeof custom>['types']['point']>().toEqualTypeOf<
    ReturnType<typeof plainCustom>['types']['point']
  >()
})

it('has no option for a user', () => {
  // @ts-expect-error: the user comes from Vault.
  void (() => vaultPostgres({ role: 'app', database: 'app', user: 'me' }))
  // @ts-expect-error: so does the password.
  void (() => vaultPostgres('postgres://localhost/app', { role: 'app', password: 'secret' }))
})

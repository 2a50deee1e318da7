import type { LeaseManager } from '@vault-lease/core'
import { Redis } from 'ioredis'
import { describe, expect, expectTypeOf, it } from 'vitest'
import { type OnLease, vaultRedis } from '../src/index.ts'

/** What compiles and what does not is checked by `npm run check`. */
describe('the types of vaultRedis()', () => {
  const ofIoredis = () => vaultRedis(new Redis(), { role: 'app' })
  const misspelt = () =>
    // @ts-expect-error: it is "role"
    vaultRedis(new Redis(), { roel: 'app' })

  it('are those of the client', () => {
    expectTypeOf(ofIoredis).returns.toEqualTypeOf<Redis & OnLease>()
    expectTypeOf<ReturnType<typeof ofIoredis>>().toExtend<Redis>()
    expectTypeOf<ReturnType<typeof ofIoredis>['lease']>().toEqualTypeOf<LeaseManager>()
    expect(misspelt).toBeTypeOf('function')
  })
})

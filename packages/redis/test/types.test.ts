import type { LeaseManager } from '@vault-lease/core'
import { Redis } from 'ioredis'
import { createClient, createSentinel, defineScript, type RedisClientType } from 'redis'
import { describe, expect, expectTypeOf, it } from 'vitest'
import { type OnLease, vaultRedis } from '../src/index.ts'

/** What compiles and what does not is checked by `npm run check`. */
describe('the types of vaultRedis()', () => {
  const ofIoredis = () => vaultRedis(new Redis(), { role: 'app' })
  const misspelt = () =>
    // @ts-expect-error: it is "role"
    vaultRedis(new Redis(), { roel: 'app' })

  const modules = { mod: {} }
  const scripts = {
    add: defineScript({
      SCRIPT: 'return 1',
      NUMBER_OF_KEYS: 1,
      parseCommand(parser, key: string) {
        parser.pushKey(key)
      },
      transformReply: (reply: number) => reply,
    }),
  }
  const ofNodeRedis = () => createClient({ modules, scripts, RESP: 3 as const })
  const leased = () => vaultRedis(ofNodeRedis(), { role: 'app' })

  it('are those of a client of node-redis, with its modules, scripts and protocol', () => {
    type Plain = ReturnType<typeof ofNodeRedis>
    type Leased = ReturnType<typeof leased>
    expectTypeOf<Leased>().toEqualTypeOf<Plain & OnLease>()
    expectTypeOf<Leased>().toExtend<
      RedisClientType<typeof modules, Record<never, never>, typeof scripts, 3>
    >()
    expectTypeOf<Leased['add']>().toEqualTypeOf<Plain['add']>()
    expectTypeOf<Leased['mod']>().toEqualTypeOf<Plain['mod']>()
    expectTypeOf<Leased['hGetAll']>().toEqualTypeOf<Plain['hGetAll']>()
    expect(leased).toBeTypeOf('function')
  })

  it('are those of a client of node-redis that asks sentinels', () => {
    const plain = () => createSentinel({ name: 'cache', sentinelRootNodes: [], scripts, RESP: 3 as const })
    const onLease = () => vaultRedis(plain(), { role: 'app' })
    expectTypeOf<ReturnType<typeof onLease>>().toEqualTypeOf<ReturnType<typeof plain> & OnLease>()
    expect(onLease).toBeTypeOf('function')
  })

  it('are those of the client', () => {
    expectTypeOf(ofIoredis).returns.toEqualTypeOf<Redis & OnLease>()
    expectTypeOf<ReturnType<typeof ofIoredis>>().toExtend<Redis>()
    expectTypeOf<ReturnType<typeof ofIoredis>['lease']>().toEqualTypeOf<LeaseManager>()
    expect(misspelt).toBeTypeOf('function')
  })
})

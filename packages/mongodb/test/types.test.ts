import type { Collection, MongoClient, MongoClientOptions, WithId } from 'mongodb'
import { describe, expect, expectTypeOf, it } from 'vitest'
import type {
  LeaseManager,
  Vault,
  VaultMongoClient,
  VaultMongoClientOptions,
  VaultOptions,
} from '../src/index.ts'

interface Item {
  readonly name: string
}

/** What compiles and what does not is checked by `npm run check`. */
describe('the types of VaultMongoClient', () => {
  it('are those of MongoClient', () => {
    expectTypeOf<VaultMongoClient>().toExtend<MongoClient>()
    expectTypeOf<ReturnType<typeof itemsOf>>().toEqualTypeOf<Collection<Item>>()
    expectTypeOf<ReturnType<typeof firstItem>>().resolves.toEqualTypeOf<WithId<Item> | null>()
    expectTypeOf<Awaited<ReturnType<typeof VaultMongoClient.connect>>>().toEqualTypeOf<VaultMongoClient>()
  })

  it('have no any where they are ours', () => {
    expectTypeOf<VaultMongoClient['lease']>().toEqualTypeOf<LeaseManager>()
    expectTypeOf<VaultMongoClientOptions['vault']>().toEqualTypeOf<Vault | VaultOptions | undefined>()
    type Given = ConstructorParameters<typeof VaultMongoClient>[1]
    expectTypeOf<Given>().toEqualTypeOf<VaultMongoClientOptions | undefined>()
  })

  it('take the options of MongoClient but the login', () => {
    expectTypeOf<VaultMongoClientOptions['maxPoolSize']>().toEqualTypeOf<MongoClientOptions['maxPoolSize']>()
    expectTypeOf<VaultMongoClientOptions['tls']>().toEqualTypeOf<MongoClientOptions['tls']>()
    // @ts-expect-error: a number
    const wrong: VaultMongoClientOptions = { maxPoolSize: 'many' }
    // @ts-expect-error: it is "role"
    const misspelt: VaultMongoClientOptions = { roel: 'app' }
    // @ts-expect-error: Vault gives it
    const withLogin: VaultMongoClientOptions = { auth: { username: 'me' } }
    expect([misspelt, withLogin, wrong]).toHaveLength(3)
  })
})

function itemsOf(client: VaultMongoClient) {
  return client.db().collection<Item>('items')
}

function firstItem(client: VaultMongoClient) {
  return itemsOf(client).findOne()
}

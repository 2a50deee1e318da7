import { MongoClient } from 'mongodb'
import { DataSource, EntitySchema } from 'typeorm'
import type { MongoDriver } from 'typeorm/driver/mongodb/MongoDriver.js'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { type LeasedServers, startLeasedServers } from '../../../test/leased-servers.ts'
import { type VaultMongoOptions, vaultDataSource } from '../src/index.ts'

interface Item {
  readonly _id: number
  readonly name: string
}

const Items = new EntitySchema<Item>({
  name: 'items',
  columns: { _id: { type: Number, primary: true, objectId: true }, name: { type: String } },
})

describe('a DataSource of vaultDataSource() for MongoDB', () => {
  let servers: LeasedServers
  beforeAll(async () => {
    const documents = Array.from({ length: 50 }, (_, index) => ({
      _id: index + 1,
      name: `item ${index + 1}`,
    }))
    const schema = [JSON.stringify({ insert: 'items', documents })]
    servers = await startLeasedServers({ kind: 'mongodb', schema })
  })
  afterEach(() => servers.endAll())
  afterAll(() => servers?.stop())

  const dataSource = async (options: Omit<VaultMongoOptions, 'type'> = {}): Promise<DataSource> => {
    const from = options.lease ? {} : { vault: await servers.vaultOptions(), role: servers.role }
    const place = options.url === undefined ? servers.place : {}
    const made = new DataSource(
      vaultDataSource({
        type: 'mongodb',
        ...from,
        ...place,
        entities: [Items],
        ...options,
      } as VaultMongoOptions),
    )
    servers.closing(made, () => made.isInitialized && made.destroy())
    return await made.initialize()
  }
  const clientOf = ({ driver }: DataSource): MongoClient => {
    const { queryRunner } = driver as MongoDriver
    return queryRunner?.databaseConnection as unknown as MongoClient
  }
  const userOf = async (source: DataSource): Promise<string> => {
    const { authInfo } = await clientOf(source).db().command({ connectionStatus: 1 })
    return authInfo.authenticatedUsers[0].user
  }

  it('finds, saves and reads cursors across rotations, with repositories that were taken before', async () => {
    const lease = await servers.lease()
    const source = await dataSource({ lease })
    const items = source.getMongoRepository(Items)
    const cursor = items.createCursor({}).batchSize(10)
    await cursor.next()
    const before = await userOf(source)
    await lease.rotate()
    // The old user does what is new until the next client has its connections.
    await vi.waitFor(async () => expect(await userOf(source)).not.toBe(before))
    expect(await items.count()).toBe(50)
    await items.save({ _id: 51, name: 'saved' })
    await lease.rotate()
    expect(await items.findOneByOrFail({ _id: 51 })).toMatchObject({ name: 'saved' })
    expect((await cursor.toArray()).length).toBeGreaterThanOrEqual(49)
    await items.deleteOne({ _id: 51 })
    await source.destroy()
    await lease.close()
    const drops = await servers.engine.drops()
    expect(drops.filter(({ openSessions }) => openSessions > 0)).toEqual([])
  })

  it('takes its place from a url, and lets work that is under way finish when it is destroyed', async () => {
    const { host, port, database } = servers.place
    const source = await dataSource({ url: `mongodb://${host}:${port}/${database}` })
    const counts = Promise.all(Array.from({ length: 20 }, () => source.getMongoRepository(Items).count()))
    await source.destroy()
    expect(new Set(await counts)).toEqual(new Set([50]))
    expect(await servers.engine.users()).toEqual([])
    await source.initialize()
    expect(await source.getMongoRepository(Items).count()).toBe(50)
  })

  it('makes its client of the driver that it is given, and makes indexes as another user may', async () => {
    class Client extends MongoClient {}
    const source = await dataSource({ driver: { MongoClient: Client }, synchronize: true })
    expect(clientOf(source)).toBeInstanceOf(Client)
    await expect(dataSource({ driver: {} })).rejects.toMatchObject({ code: 'ERR_INVALID_OPTION' })
  })

  it.each<[string, object, string]>([
    ['a user', { username: 'me' }, 'Leave out "username"'],
    [
      'a user in the url',
      { url: 'mongodb://me:secret@127.0.0.1/app' },
      'Leave the user and the password out',
    ],
    ['a user in a url of several hosts', { url: 'mongodb://me:secret@a:1,b:2/app' }, 'out of the address'],
    ['a misspelt option', { roel: 'app' }, 'did you mean "role"'],
  ])('refuses %s', async (_what, options, message) => {
    await expect(dataSource(options)).rejects.toThrow(message)
  })

  it('leaves nothing behind when it cannot connect', async () => {
    const unreachable = { url: 'mongodb://127.0.0.1:1/app', extra: { serverSelectionTimeoutMS: 300 } }
    await expect(dataSource(unreachable)).rejects.toMatchObject({ code: 'ERR_CREDENTIALS_UNAVAILABLE' })
    expect(await servers.engine.users()).toEqual([])
  })
})

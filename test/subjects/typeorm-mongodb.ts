import { setTimeout as sleep } from 'node:timers/promises'
import { vaultDataSource } from '@vault-lease/typeorm'
import type { ClientSession, MongoClient } from 'mongodb'
import { DataSource, type DataSourceOptions, EntitySchema, type MongoRepository } from 'typeorm'
import type { MongoDriver } from 'typeorm/driver/mongodb/MongoDriver.js'
import { dataSourceSubject } from './data-source-subject.ts'
import {
  type Event,
  heldWorkload,
  type Item,
  inTransaction,
  nextId,
  quickOptions,
  readInParts,
  watchInserts,
} from './mongodb.ts'
import type { MakeStatic, MakeSubject, Place, Workload } from './subject.ts'

const Items = new EntitySchema<Item>({
  name: 'items',
  columns: {
    _id: { type: Number, primary: true, objectId: true },
    name: { type: String },
    hits: { type: Number },
  },
})

const Events = new EntitySchema<Event & { readonly _id?: unknown }>({
  name: 'events',
  columns: { _id: { type: String, primary: true, objectId: true }, n: { type: Number } },
})

export const leased: MakeSubject = (place, from) =>
  dataSourceSubject(new DataSource(vaultDataSource({ ...from, ...optionsFor(place) })), (ready) =>
    workload(ready, place),
  )

export const plain: MakeStatic = (place, { user: username, password }) => {
  const options: DataSourceOptions = { ...optionsFor(place), username, password, authSource: 'admin' }
  return dataSourceSubject(new DataSource(options), (ready) => workload(ready, place))
}

function optionsFor({ server: { host, port, database }, max, acquireTimeoutMs, users, quick }: Place) {
  return {
    type: 'mongodb' as const,
    ...{ host, port, database },
    monitorCommands: users !== undefined,
    extra: { maxPoolSize: max, serverSelectionTimeoutMS: acquireTimeoutMs, ...(quick && quickOptions) },
    entities: [Items, Events],
  }
}

function workload(ready: () => Promise<DataSource>, place: Place): Workload {
  const client = async (): Promise<MongoClient> => {
    const { queryRunner } = (await ready()).driver as MongoDriver
    if (!queryRunner) throw new Error('the data source is not connected')
    return queryRunner.databaseConnection as unknown as MongoClient
  }
  const items = async (): Promise<MongoRepository<Item>> => (await ready()).getMongoRepository(Items)
  return {
    ...heldWorkload(client, place),
    query: async () => await (await items()).findOneByOrFail({ _id: 1 }),
    async transaction(holdMs) {
      const repository = await items()
      await inTransaction(await client(), async (session: ClientSession) => {
        await repository.countDocuments({}, { session } as object)
        await sleep(holdMs)
        await repository.updateOne({ _id: nextId() }, { $inc: { hits: 1 } }, { session } as object)
      })
    },
    stream: async () => await readInParts((await items()).createCursor({}).batchSize(25)),
    events: {
      add: async (n) => await (await ready()).getMongoRepository(Events).insertOne({ n }),
      watch: async (onEvent) => {
        const changes = (await ready()).mongoManager.watch(Events, [], { maxAwaitTimeMS: 100 })
        return await watchInserts(changes, onEvent)
      },
    },
  }
}

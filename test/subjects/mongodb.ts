import { type EventEmitter, once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { VaultMongoClient } from '@vault-lease/mongodb'
import { type ClientSession, MongoClient, type MongoClientOptions } from 'mongodb'
import { SessionUsers } from './mongodb-users.ts'
import type { MakeStatic, MakeSubject, Place, Workload } from './subject.ts'

export interface Item {
  readonly _id: number
  readonly name: string
  readonly hits: number
}

export interface Event {
  readonly n: number
}

/** What the driver reads at a time. */
const batchSize = 25
const heldBatchSize = 10
const items = 100

export const leased: MakeSubject = (place, from) => {
  const client = new VaultMongoClient(addressOf(place), { ...from, ...mongodbOptions(place) })
  return {
    ...clientWorkload(client, place),
    inspectables: () => [client, client.options, client.lease, client.db().collection('items').find()],
    close: () => client.close(),
  }
}

export const plain: MakeStatic = (place, { user: username, password }) => {
  const auth = { username, password }
  const client = new MongoClient(addressOf(place), { ...mongodbOptions(place), auth, authSource: 'admin' })
  return {
    ...clientWorkload(client, place),
    inspectables: () => [client],
    close: () => client.close(),
  }
}

export function addressOf({ server: { host, port, database } }: Place): string {
  return `mongodb://${host}:${port}/${database}`
}

/** Half a second is the shortest pause between two heartbeats. */
export const quickOptions = { heartbeatFrequencyMS: 500, maxIdleTimeMS: 100, minPoolSize: 1 }

type Options = Pick<
  MongoClientOptions,
  'maxPoolSize' | 'serverSelectionTimeoutMS' | 'monitorCommands' | keyof typeof quickOptions
>

export function mongodbOptions({ max, acquireTimeoutMs, users, quick }: Place): Options {
  return {
    maxPoolSize: max,
    serverSelectionTimeoutMS: acquireTimeoutMs,
    monitorCommands: users !== undefined,
    ...(quick && quickOptions),
  }
}

function clientWorkload(client: MongoClient, place: Place): Workload {
  const collection = client.db().collection<Item>('items')
  return {
    ...heldWorkload(async () => client, place),
    query: () => collection.findOne({ _id: 1 }),
    transaction: (holdMs) =>
      inTransaction(client, async (session) => {
        await collection.countDocuments({}, { session })
        await sleep(holdMs)
        await collection.updateOne({ _id: nextId() }, { $inc: { hits: 1 } }, { session })
      }),
    stream: () => readInParts(collection.find({}, { batchSize })),
    events: {
      add: (n) => client.db().collection<Event>('events').insertOne({ n }),
      watch: async (onEvent) =>
        await watchInserts(
          client.db().collection<Event>('events').watch([], { maxAwaitTimeMS: 100 }),
          onEvent,
        ),
    },
  }
}

/** A change stream of the driver, whichever copy of it. */
interface Changes extends EventEmitter {
  close(): Promise<void>
}

/** Resolves once the stream has begun. */
export async function watchInserts(
  changes: Changes,
  onEvent: (n: number) => void,
): Promise<() => Promise<void>> {
  changes.on('change', ({ operationType, fullDocument }) => {
    if (operationType === 'insert') onEvent(fullDocument.n)
  })
  await once(changes, 'resumeTokenChanged')
  return () => changes.close()
}

/** What an application holds open by the client under whatever it uses. */
export function heldWorkload(
  ready: () => Promise<MongoClient>,
  { users }: Place,
): Pick<Workload, 'deniedQuery' | 'openTransaction' | 'openCursor'> {
  let sessionUsers: SessionUsers | undefined
  const connected = async (): Promise<MongoClient> => {
    const client = await ready()
    if (users) sessionUsers ??= new SessionUsers(client, users)
    return client
  }
  const userOf = async (session: ClientSession): Promise<string> =>
    (await sessionUsers?.userOf(session)) ?? ''
  return {
    deniedQuery: async () => await (await connected()).db('private').collection('forbidden').findOne(),
    async openTransaction() {
      const client = await connected()
      const session = client.startSession()
      session.startTransaction()
      return {
        async step() {
          await client.db().collection('items').findOne({}, { session })
          return await userOf(session)
        },
        finish: () => session.commitTransaction().finally(() => session.endSession()),
      }
    },
    async openCursor() {
      const client = await connected()
      const session = client.startSession()
      const cursor = client.db().collection('items').find({}, { session, batchSize: heldBatchSize })
      return {
        async step() {
          for (let row = 0; row < heldBatchSize; row++) await cursor.next()
          return await userOf(session)
        },
        finish: () => cursor.close().finally(() => session.endSession()),
      }
    },
  }
}

/** By hand: `withTransaction()` would try again by itself. */
export async function inTransaction(
  client: MongoClient,
  work: (session: ClientSession) => Promise<unknown>,
): Promise<void> {
  const session = client.startSession()
  try {
    session.startTransaction()
    await work(session)
    await session.commitTransaction()
  } finally {
    await session.endSession()
  }
}

export async function readInParts(cursor: AsyncIterable<unknown>): Promise<void> {
  let read = 0
  for await (const _item of cursor) {
    if (++read % batchSize === 0) await sleep(5)
  }
  if (read !== items) throw new Error(`the cursor gave ${read} documents`)
}

let turn = 0

/** In turns: two transactions on the same document would conflict. */
export function nextId(): number {
  return 1 + (turn++ % items)
}

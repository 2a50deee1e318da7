import { setTimeout as sleep } from 'node:timers/promises'
import { vaultConnect } from '@vault-lease/mongoose'
import mongoose, { type Connection, type ConnectOptions } from 'mongoose'
import { addressOf, heldWorkload, mongodbOptions, nextId, readInParts, watchInserts } from './mongodb.ts'
import type { MakeStatic, MakeSubject, Place, Workload } from './subject.ts'

export const leased: MakeSubject = (place, from) =>
  subjectOn(place, async (connection) => {
    await vaultConnect(connection, addressOf(place), { ...from, ...optionsFor(place) })
  })

export const plain: MakeStatic = (place, { user, password: pass }) =>
  subjectOn(place, async (connection) => {
    await connection.openUri(addressOf(place), { ...optionsFor(place), user, pass, authSource: 'admin' })
  })

type Options = ConnectOptions & { readonly bufferTimeoutMS?: number }

function optionsFor(place: Place): Options {
  const all = { ...mongodbOptions(place), autoIndex: false, autoCreate: false }
  return place.quick ? { ...all, bufferTimeoutMS: 300 } : all
}

function subjectOn(
  place: Place,
  connect: (connection: Connection) => Promise<void>,
): ReturnType<MakeSubject> {
  const connection = mongoose.createConnection()
  let connected: Promise<Connection> | undefined
  let closed: Promise<void> | undefined
  const ready = (): Promise<Connection> => {
    connected ??= connect(connection).then(
      () => connection,
      (error: unknown) => {
        connected = undefined
        throw error
      },
    )
    return connected
  }
  const close = async (): Promise<void> => {
    await connected?.catch(() => {})
    await connection.destroy()
  }
  return {
    ...workload(connection, ready, place),
    inspectables: () => [connection, connection.getClient()],
    close() {
      closed ??= close()
      return closed
    },
  }
}

function workload(connection: Connection, ready: () => Promise<Connection>, place: Place): Workload {
  const { Schema } = mongoose
  const Items = connection.model(
    'Item',
    new Schema({ _id: Number, name: String, hits: Number }, { id: false }),
    'items',
  )
  const Events = connection.model('Event', new Schema({ n: Number }), 'events')
  return {
    ...heldWorkload(async () => (await ready()).getClient() as never, place),
    async query() {
      await ready()
      return await Items.findById(1).lean().orFail()
    },
    async transaction(holdMs) {
      await (await ready()).transaction(async (session) => {
        await Items.countDocuments({}, { session })
        await sleep(holdMs)
        await Items.updateOne({ _id: nextId() }, { $inc: { hits: 1 } }, { session })
      })
    },
    async stream() {
      await ready()
      await readInParts(Items.find().cursor({ batchSize: 25 }))
    },
    events: {
      async add(n) {
        await ready()
        return await Events.create({ n })
      },
      async watch(onEvent) {
        await ready()
        return await watchInserts(Events.collection.watch([], { maxAwaitTimeMS: 100 }), onEvent)
      },
    },
  }
}

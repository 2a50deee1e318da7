import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { Schema, Types } from 'mongoose'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { vaultConnect } from '../src/index.ts'
import { eventsOf, type Servers, startServers, untilRetired, userOf } from './servers.ts'

const authorSchema = new Schema({ name: String })
const bookSchema = new Schema({ title: String, author: { type: Schema.Types.ObjectId, ref: 'Author' } })

describe('a connection of vaultConnect() across rotations', () => {
  let servers: Servers
  beforeAll(async () => {
    servers = await startServers()
  })
  afterEach(() => servers.endAll())
  afterAll(() => servers?.stop())

  const connected = async () => {
    const mongoose = servers.mongoose()
    const lease = await servers.lease()
    const Author = mongoose.model('Author', authorSchema)
    await vaultConnect(mongoose, servers.uri, { lease, maxPoolSize: 3, heartbeatFrequencyMS: 500 })
    const Book = mongoose.model('Book', bookSchema)
    return { mongoose, lease, connection: mongoose.connection, Author, Book }
  }

  it('keeps its state, tells nobody, and is not taken for stale long after', async () => {
    const { connection, lease, Author } = await connected()
    const told = eventsOf(connection)
    for (let rotation = 0; rotation < 3; rotation++) {
      await lease.rotate()
      await Author.create({ name: 'Ada' })
    }
    await untilRetired(lease)
    await lease.rotate()
    // Mongoose takes a connection for lost that has not heard a heartbeat for two of them.
    await sleep(1_500)
    expect(connection.readyState).toBe(1)
    expect(told).toEqual([])
    expect(await userOf(connection)).toBe(lease.status().username)
  })

  it('goes on when it is rotated more often than its server is heard of', async () => {
    const { connection, lease, Author } = await connected()
    const told = eventsOf(connection)
    const states = new Set<number>()
    await once(connection.getClient(), 'serverHeartbeatSucceeded')
    // Three times as long as Mongoose waits for a heartbeat.
    for (const until = performance.now() + 3_000; performance.now() < until; await sleep(250)) {
      await lease.rotate()
      states.add(connection.readyState)
      await Author.countDocuments()
    }
    expect([...states]).toEqual([1])
    expect(told).toEqual([])
  })

  it('comes back by itself when its server was away as others on the lease were rotated', async () => {
    let down = false
    const lease = await servers.lease()
    const other = await vaultConnect(servers.mongoose(), servers.uri, { lease })
    const mongoose = servers.mongoose()
    const quick = { serverSelectionTimeoutMS: 1_000, heartbeatFrequencyMS: 500 }
    await vaultConnect(mongoose, await servers.detour(() => down), { lease, ...quick })
    await once(mongoose.connection.getClient(), 'serverHeartbeatSucceeded')
    down = true
    await lease.rotate()
    await untilRetired(lease)
    await vi.waitUntil(() => mongoose.connection.readyState === 0, { timeout: 10_000 })
    down = false
    // It waits until Mongoose takes itself for connected, and nobody else asks for anything.
    await mongoose.connection.transaction(async () => {})
    expect(await userOf(mongoose.connection)).toBe(await userOf(other.connection))
  })

  it('serves models that were compiled before and after, population, middleware and discriminators', async () => {
    const { mongoose, lease, Author, Book } = await connected()
    const saved = vi.fn()
    const Review = mongoose.model('Review', new Schema({ stars: Number }).post('save', saved))
    const Long = Review.discriminator('LongReview', new Schema({ text: String }))
    const author = await Author.create({ name: 'Grace' })
    await lease.rotate()
    const { _id } = await Book.create({ title: 'COBOL', author: author._id })
    await lease.rotate()
    const book = await Book.findById(_id).populate<{ author: { name: string } }>('author').orFail()
    expect(book.author.name).toBe('Grace')
    await new Long({ stars: 5, text: 'long' }).save()
    expect(saved).toHaveBeenCalledOnce()
    expect(await Review.findOne({ stars: 5 })).toMatchObject({ text: 'long' })
    await lease.rotate()
    await Book.syncIndexes()
    await Promise.all([Author.deleteMany(), Book.deleteMany(), Review.deleteMany()])
  })

  it('serves the connections that useDb() made before and after it was connected', async () => {
    const mongoose = servers.mongoose()
    const early = mongoose.connection.useDb('app').model('Author', authorSchema)
    const lease = await servers.lease()
    await vaultConnect(mongoose, servers.uri, { lease })
    const late = mongoose.connection.useDb('app', { useCache: true }).model('Author', authorSchema)
    await early.create({ name: 'early' })
    await lease.rotate()
    await late.create({ name: 'late' })
    expect(await early.countDocuments()).toBe(2)
    await lease.rotate()
    await late.deleteMany()
    expect(await early.countDocuments()).toBe(0)
  })

  it('finishes transactions, sessions and cursors, and goes on with a change stream', async () => {
    const { connection, lease, Author } = await connected()
    const told: string[] = []
    const changes = Author.watch<{ name: string }>([], { maxAwaitTimeMS: 50 })
    changes.on('change', (change) => {
      if (change.operationType === 'insert') told.push(change.fullDocument.name)
    })
    await once(changes, 'resumeTokenChanged')
    await connection.transaction(async (session) => {
      await Author.create([{ name: 'first' }], { session })
      await lease.rotate()
      await Author.create([{ name: 'second' }], { session })
    })
    await connection.withSession(async (session) => {
      expect(await Author.countDocuments({}, { session })).toBe(2)
      await lease.rotate()
      expect(await Author.countDocuments({}, { session })).toBe(2)
    })
    await Author.insertMany(Array.from({ length: 50 }, (_, n) => ({ name: `author ${n}` })))
    const names: string[] = []
    for await (const { name } of Author.find().cursor({ batchSize: 10 })) {
      if (names.length % 20 === 0) await lease.rotate()
      names.push(`${name}`)
    }
    expect(names).toHaveLength(52)
    await vi.waitUntil(() => told.length >= 52, { timeout: 5_000 })
    expect(told).toEqual(names)
    await changes.close()
    await untilRetired(lease)
    await Author.deleteMany()
  })

  it('answers what is under way when Mongoose disconnects, and leaves no user', async () => {
    const mongoose = servers.mongoose()
    await vaultConnect(mongoose, servers.uri, { vault: await servers.vaultOptions(), role: servers.role })
    const Author = mongoose.model('Author', authorSchema)
    const finds = Promise.all(Array.from({ length: 20 }, () => Author.findById(new Types.ObjectId())))
    const transaction = mongoose.connection.transaction(async (session) => {
      await Author.create([{ name: 'last' }], { session })
      await sleep(200)
      await Author.deleteMany({}, { session })
    })
    await sleep(50)
    await mongoose.disconnect()
    expect(new Set(await finds)).toEqual(new Set([null]))
    await transaction
    expect(mongoose.connection.readyState).toBe(0)
    expect(await servers.engine.users()).toEqual([])
    expect((await servers.engine.drops()).at(-1)).toMatchObject({ openSessions: 0 })
  })
})

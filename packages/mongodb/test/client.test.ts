import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { inspect } from 'node:util'
import { GridFSBucket, MongoClient } from 'mongodb'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { VaultMongoClient } from '../src/index.ts'
import { failureOf, items, itemsOf, type Servers, startServers, untilRetired } from './servers.ts'

describe('VaultMongoClient', () => {
  let servers: Servers
  beforeAll(async () => {
    servers = await startServers()
  })
  afterEach(() => servers.endAll())
  afterAll(() => servers?.stop())

  const userOf = async (client: MongoClient, options = {}): Promise<string> => {
    const { authInfo } = await client.db().command({ connectionStatus: 1 }, options)
    return authInfo.authenticatedUsers[0].user
  }

  it('is a MongoClient whose user comes from Vault', async () => {
    const client = await servers.client()
    const opened = vi.fn()
    client.on('open', opened)
    expect(client).toBeInstanceOf(MongoClient)
    expect(await client.connect()).toBe(client)
    expect(await client.connect()).toBe(client)
    expect(opened).toHaveBeenCalledExactlyOnceWith(client)
    expect(await userOf(client)).toBe(client.lease.status().username)
    expect(await userOf(client)).toMatch(/^v-/)
    expect(client.options.dbName).toBe('app')
  })

  it('connects by itself, or when it is told to as it is made', async () => {
    expect(await itemsOf(await servers.client()).countDocuments()).toBe(items)
    const options = { vault: await servers.vaultOptions(), role: servers.role }
    const client = await VaultMongoClient.connect(servers.uri, options)
    servers.closing(client, () => client.close())
    expect(client.lease.status().state).toBe('ready')
    expect(await itemsOf(client).findOne({ _id: 1 })).toEqual({ _id: 1, name: 'item 1' })
  })

  it('serves handles that were taken before a rotation as the new user', async () => {
    const client = await servers.client()
    const db = client.db()
    const collection = db.collection('items')
    const before = await userOf(client)
    await client.lease.rotate()
    expect(await collection.countDocuments()).toBe(items)
    const { username } = client.lease.status()
    expect(username).not.toBe(before)
    // The old user serves a part of what is new for a while.
    await vi.waitFor(async () => {
      const [{ user }] = (await db.command({ connectionStatus: 1 }))['authInfo'].authenticatedUsers
      expect(user).toBe(username)
    })
  })

  it('leaves an open cursor with its user, and closes that client when the cursor is read to its end', async () => {
    const client = await servers.client()
    const cursor = itemsOf(client).find({}, { batchSize: 10 })
    await cursor.next()
    const before = client.lease.status().username ?? ''
    await client.lease.rotate()
    await itemsOf(client).findOne()
    expect((await servers.sessions()).get(before)).toBeGreaterThan(0)
    expect(client.lease.status().retiring).toEqual([1])
    expect(await cursor.toArray()).toHaveLength(items - 1)
    await untilRetired(client)
    expect(await servers.engine.drops()).toContainEqual(
      expect.objectContaining({ username: before, openSessions: 0 }),
    )
  })

  it('closes a client at once when its cursors are closed, or their sessions are', async () => {
    const client = await servers.client()
    const closed = itemsOf(client).find({}, { batchSize: 10 })
    const session = client.startSession()
    const left = itemsOf(client).find({}, { batchSize: 10, session })
    await Promise.all([closed.next(), left.next()])
    await client.lease.rotate()
    await closed.close()
    expect(client.lease.status().retiring).toEqual([1])
    await session.endSession()
    await untilRetired(client)
  })

  it('keeps a transaction with its user, and takes a session along that is in none', async () => {
    const client = await servers.client()
    const session = client.startSession()
    session.startTransaction()
    await itemsOf(client).insertOne({ _id: 1001, name: 'in a transaction' }, { session })
    const before = client.lease.status().username
    await client.lease.rotate()
    expect(client.lease.status().retiring).toEqual([1])
    await itemsOf(client).updateOne({ _id: 1001 }, { $set: { name: 'changed' } }, { session })
    expect(await itemsOf(client).findOne({ _id: 1001 })).toBe(null)
    await session.commitTransaction()
    expect(await itemsOf(client).findOne({ _id: 1001 })).toMatchObject({ name: 'changed' })
    await untilRetired(client)
    expect(await userOf(client, { session })).not.toBe(before)
    session.startTransaction()
    await itemsOf(client).deleteOne({ _id: 1001 }, { session })
    await session.commitTransaction()
    await session.endSession()
    expect(await itemsOf(client).countDocuments()).toBe(items)
  })

  it('runs withSession() and withTransaction() across a rotation', async () => {
    const client = await servers.client()
    await client.withSession(async (session) => {
      await session.withTransaction(async () => {
        await itemsOf(client).insertOne({ _id: 1002, name: 'one' }, { session })
        await client.lease.rotate()
        await itemsOf(client).insertOne({ _id: 1003, name: 'two' }, { session })
      })
      await client.lease.rotate()
      await session.withTransaction(async () => {
        await itemsOf(client).deleteMany({ _id: { $gt: 1000 } }, { session })
      })
    })
    await untilRetired(client)
    expect(await itemsOf(client).countDocuments()).toBe(items)
  })

  it('aborts a transaction on the client on which it began', async () => {
    const client = await servers.client()
    const session = client.startSession()
    session.startTransaction()
    await itemsOf(client).insertOne({ _id: 1004, name: 'never' }, { session })
    await client.lease.rotate()
    await session.abortTransaction()
    await session.endSession()
    await untilRetired(client)
    expect(await itemsOf(client).findOne({ _id: 1004 })).toBe(null)
  })

  it('writes in bulk, ordered and not, and stores files, across rotations', async () => {
    const client = await servers.client()
    const collection = client.db().collection<{ n: number }>('bulk')
    const inserts = () => Array.from({ length: 50 }, (_, n) => ({ insertOne: { document: { n } } }))
    await collection.bulkWrite(inserts())
    const bulk = collection.initializeUnorderedBulkOp()
    bulk.insert({ n: 50 })
    await client.lease.rotate()
    await collection.bulkWrite(inserts(), { ordered: false })
    bulk.insert({ n: 51 })
    await bulk.execute()
    expect(await collection.countDocuments()).toBe(102)

    const bucket = new GridFSBucket(client.db(), { chunkSizeBytes: 1024 })
    const content = Buffer.alloc(10_000, 'x')
    const upload = bucket.openUploadStream('file')
    await pipeline(
      Readable.from([content.subarray(0, 5_000), content.subarray(5_000)]).map(async (part: Buffer) => {
        await client.lease.rotate()
        return part
      }),
      upload,
    )
    const parts: Buffer[] = []
    for await (const part of bucket.openDownloadStreamByName('file')) parts.push(part)
    expect(Buffer.concat(parts)).toEqual(content)
    await untilRetired(client)
  })

  it('tells the events of all its clients, and of a server only what concerns the user in force', async () => {
    const client = await servers.client({ monitorCommands: true })
    const commands: string[] = []
    const created = vi.fn()
    const topology = vi.fn()
    const heartbeats: string[] = []
    client.on('commandStarted', ({ commandName }) => commands.push(commandName))
    client.on('connectionCreated', created)
    client.on('serverHeartbeatSucceeded', ({ connectionId }) => heartbeats.push(connectionId))
    await itemsOf(client).findOne()
    client.on('topologyDescriptionChanged', topology)
    client.on('serverDescriptionChanged', topology)
    client.on('topologyClosed', topology)
    const before = created.mock.calls.length
    // Another client is opened, to find out whether the user still exists.
    expect(await failureOf(client.db('private').collection('forbidden').findOne())).toMatchObject({
      code: 13,
    })
    await itemsOf(client).findOne()
    expect(topology).not.toHaveBeenCalled()
    const heard = heartbeats.length
    await client.lease.rotate()
    expect(heartbeats.length).toBeGreaterThan(heard)
    await itemsOf(client).insertOne({ _id: 1005, name: 'seen' })
    await itemsOf(client).deleteOne({ _id: 1005 })
    await untilRetired(client)
    expect(commands).toEqual(expect.arrayContaining(['find', 'insert', 'delete']))
    expect(created.mock.calls.length).toBeGreaterThan(before)
    expect(topology).not.toHaveBeenCalled()
    await client.close()
    expect(topology).toHaveBeenCalled()
  })

  it('closes with all that it has: the lease, the user, connections; and closing twice is closing once', async () => {
    const client = await servers.client()
    const changes = client.db().collection('events').watch([], { maxAwaitTimeMS: 100 })
    await changes.tryNext()
    const abandoned = itemsOf(client).find({}, { batchSize: 10 })
    await abandoned.next()
    await abandoned.close()
    const work = itemsOf(client).findOne({ _id: 1 })
    const began = performance.now()
    const closing = client.close()
    expect(client.close()).toBe(closing)
    await closing
    expect(performance.now() - began).toBeLessThan(3_000)
    expect(await work).toMatchObject({ _id: 1 })
    expect(await servers.engine.users()).toEqual([])
    expect((await servers.engine.drops()).at(-1)).toMatchObject({ openSessions: 0 })
    expect((await servers.sessions()).size).toBe(0)
    expect(changes.closed).toBe(true)
    await expect(itemsOf(client).findOne()).rejects.toThrow('Client must be connected')
    await expect(client.connect()).rejects.toMatchObject({ code: 'ERR_LEASE_CLOSED' })
  })

  it('shows no password, not by what its cursors know either', async () => {
    const client = await servers.client()
    const cursor = itemsOf(client).find({}, { batchSize: 10 })
    await cursor.next()
    const password = client.lease.current?.password ?? ''
    expect(password).not.toBe('')
    for (const shown of [client, cursor, client.db()])
      expect(inspect(shown, { depth: 20 })).not.toContain(password)
    await cursor.close()
  })

  it('gives up connections of an old user as their work ends, though a cursor of it is open', async () => {
    let held = true
    const { uri } = await servers.gateway(async (command) => {
      if ('count' in command) await vi.waitUntil(() => !held, { timeout: 10_000, interval: 10 })
      return undefined
    })
    const client = await servers.client({}, uri)
    const before = (await client.connect()).lease.status().username ?? ''
    const cursor = itemsOf(client).find({}, { batchSize: 10 })
    await cursor.next()
    const counts = [1, 2, 3].map(() => itemsOf(client).estimatedDocumentCount())
    const open = async (): Promise<number> => (await servers.sessions()).get(before) ?? 0
    await vi.waitUntil(async () => (await open()) === 3, { timeout: 5_000 })
    await client.lease.rotate()
    held = false
    await Promise.all(counts)
    await vi.waitUntil(async () => (await open()) < 3, { timeout: 5_000 })
    expect(await cursor.toArray()).toHaveLength(items - 1)
    await untilRetired(client)
  })

  it('is not connected again by connect() when it was closed, also on a lease that goes on', async () => {
    const lease = await servers.lease()
    const client = await servers.client({ lease })
    await itemsOf(client).findOne()
    await client.close()
    await expect(client.connect()).rejects.toMatchObject({ code: 'ERR_LEASE_CLOSED' })
    expect((await servers.sessions()).size).toBe(0)
  })

  it('shares a lease with another client, and leaves it to who made it', async () => {
    const lease = await servers.lease()
    const one = await servers.client({ lease })
    const other = await servers.client({ lease })
    await itemsOf(one).findOne()
    await itemsOf(other).findOne()
    expect(await servers.engine.users()).toHaveLength(1)
    await lease.rotate()
    await itemsOf(one).findOne()
    await one.close()
    expect(await itemsOf(other).countDocuments()).toBe(items)
    await lease.rotate()
    await vi.waitFor(async () => expect(await userOf(other)).toBe(lease.status().username))
  })
})

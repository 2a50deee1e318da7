import { once } from 'node:events'
import type { ChangeStream, ChangeStreamInsertDocument, Document } from 'mongodb'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import type { VaultMongoClient } from '../src/index.ts'
import { type Servers, startServers, untilRetired } from './servers.ts'

type Changes = ChangeStream<Document, Document>

describe('a change stream of VaultMongoClient', () => {
  let servers: Servers
  beforeAll(async () => {
    servers = await startServers()
  })
  afterEach(() => servers.endAll())
  afterAll(() => servers?.stop())

  const eventsOf = (client: VaultMongoClient) => client.db().collection<{ n: number }>('events')
  const quick = { maxAwaitTimeMS: 50 }
  const numberOf = (change: Document): number =>
    (change as ChangeStreamInsertDocument<{ n: number }>).fullDocument.n

  /** Adds an event on each of several users. */
  const addAcrossRotations = async (client: VaultMongoClient): Promise<void> => {
    for (let n = 0; n < 6; n++) {
      await eventsOf(client).insertOne({ n })
      if (n % 2 === 1) await client.lease.rotate()
    }
  }

  it('gives every event once to who iterates', async () => {
    const client = await servers.client()
    const changes = eventsOf(client).watch([], quick)
    await changes.tryNext()
    await addAcrossRotations(client)
    const told: number[] = []
    while (told.length < 6) told.push(numberOf(await changes.next()))
    await eventsOf(client).insertOne({ n: 6 })
    expect([...told, numberOf(await changes.next())]).toEqual([0, 1, 2, 3, 4, 5, 6])
    await changes.close()
    await untilRetired(client)
  })

  it.each<[string, (changes: Changes, told: (change: Document) => void) => void]>([
    ['listens', (changes, told) => changes.on('change', told)],
    [
      'reads a stream, which the driver would not resume',
      (changes, told) => changes.stream().on('data', told),
    ],
  ])('gives every event once to who %s', async (_how, listen) => {
    const client = await servers.client()
    const told: number[] = []
    const changes = client.db().watch([{ $match: { 'ns.coll': 'events' } }], quick)
    listen(changes, (change) => told.push(numberOf(change)))
    await once(changes, 'resumeTokenChanged')
    await addAcrossRotations(client)
    await vi.waitUntil(() => told.length >= 6, { timeout: 5_000 })
    expect(told).toEqual([0, 1, 2, 3, 4, 5])
    await untilRetired(client)
    await changes.close()
  })

  it('closes its cursor on every client that it leaves', async () => {
    const cursors = async (): Promise<number> => {
      const [reply] = await servers.asSuperuser<{ inprog: { type: string }[] }>({
        currentOp: 1,
        $all: true,
        $db: 'admin',
      })
      return reply?.inprog.filter(({ type }) => type === 'idleCursor').length ?? 0
    }
    const ofOthers = await cursors()
    const client = await servers.client()
    const changes = eventsOf(client).watch([], quick)
    await changes.tryNext()
    expect(await cursors()).toBe(ofOthers + 1)
    await client.lease.rotate()
    await untilRetired(client)
    expect(await cursors()).toBe(ofOthers)
    await changes.tryNext()
    expect(await cursors()).toBe(ofOthers + 1)
    await client.lease.rotate()
    await untilRetired(client)
    expect(await cursors()).toBe(ofOthers)
    await changes.close()
  })

  it('that is not read for a while holds up no rotation, and tells later what has happened', async () => {
    const client = await servers.client()
    const changes = eventsOf(client).watch([], { ...quick, batchSize: 1 })
    await changes.tryNext()
    await eventsOf(client).insertOne({ n: 0 })
    expect(numberOf(await changes.next())).toBe(0)
    const first = client.lease.status().username
    for (let n = 1; n < 4; n++) {
      await client.lease.rotate()
      await untilRetired(client)
      await eventsOf(client).insertOne({ n })
    }
    expect(await servers.engine.users()).not.toContain(first)
    const told = [await changes.next(), await changes.next(), await changes.next()]
    expect(told.map(numberOf)).toEqual([1, 2, 3])
    await changes.close()
  })

  it('that waits long for its next event holds up the drain, and goes on at the deadline', async () => {
    const client = await servers.client({ rotation: { drainTimeoutMs: 500 } })
    const changes = eventsOf(client).watch([], { maxAwaitTimeMS: 60_000 })
    const told: number[] = []
    changes.on('change', (change) => told.push(numberOf(change)))
    await once(changes, 'resumeTokenChanged')
    const retired = once(client.lease, 'retired')
    await client.lease.rotate()
    expect((await retired)[0]).toMatchObject({ generation: 1, forced: 0 })
    await eventsOf(client).insertOne({ n: 7 })
    await vi.waitUntil(() => told.length > 0, { timeout: 5_000 })
    expect(told).toEqual([7])
    await changes.close()
  })
})

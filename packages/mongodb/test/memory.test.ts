import { afterAll, beforeAll, expect, it } from 'vitest'
import { heapAtRest } from '../../../test/heap.ts'
import { itemsOf, type Servers, startServers, untilRetired } from './servers.ts'

/** It was 1.1 to 1.6 MB after 100 rotations more, and after 400 more alike. One client alone takes a fifth of a MB. */
const allowedBytes = 3_000_000

let servers: Servers
beforeAll(async () => {
  servers = await startServers()
})
afterAll(() => servers?.stop())

it('keeps nothing of the clients that were replaced: after 200 rotations the heap is where it was after 20', async () => {
  const client = await servers.client()
  await client.connect()
  const session = client.startSession()
  const events = client.db().collection('events')
  const changes = events.watch([], { maxAwaitTimeMS: 20 })
  let told = 0
  changes.on('change', () => told++)
  const retired: WeakRef<object>[] = []
  const rotate = async (times: number): Promise<void> => {
    for (let rotation = 0; rotation < times; rotation++) {
      const { topology } = client as unknown as { topology: object }
      retired.push(new WeakRef(Object.getPrototypeOf(topology)))
      await client.lease.rotate()
      await itemsOf(client).findOne({}, { session })
      for await (const _item of itemsOf(client).find({}, { batchSize: 50 }));
      await events.insertOne({})
      await untilRetired(client)
    }
  }
  const listeners = (): number =>
    client.eventNames().reduce((sum, event) => sum + client.listenerCount(event), 0)

  await rotate(20)
  const before = {
    heap: await heapAtRest(),
    listeners: listeners(),
    handles: process.getActiveResourcesInfo().length,
  }
  await rotate(180)
  const after = {
    heap: await heapAtRest(),
    listeners: listeners(),
    handles: process.getActiveResourcesInfo().length,
  }

  expect(retired.slice(0, -1).filter((each) => each.deref() !== undefined)).toHaveLength(0)
  expect(after.heap - before.heap).toBeLessThan(allowedBytes)
  expect(after.listeners).toBe(before.listeners)
  expect(after.handles).toBeLessThanOrEqual(before.handles + 2)
  expect(told).toBeGreaterThanOrEqual(199)
  await changes.close()
  await session.endSession()
  await client.close()
}, 120_000)

import { setTimeout as sleep } from 'node:timers/promises'
import { settlesWithin } from '@vault-lease/core/adapter'
import type { MongoClientOptions } from 'mongodb'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { type FaultProxy, openFaultProxy } from '../../testing/src/fault-proxy.ts'
import type { VaultMongoClient } from '../src/index.ts'
import { failureOf, itemsOf, type Servers, startServers, untilRetired } from './servers.ts'

describe('VaultMongoClient keeps the options of the driver’s pool', () => {
  let servers: Servers
  let way: FaultProxy
  beforeAll(async () => {
    servers = await startServers()
  })
  beforeEach(async () => {
    way = await openFaultProxy(servers.place)
  })
  afterEach(async () => {
    await servers.endAll()
    await way[Symbol.asyncDispose]()
  })
  afterAll(() => servers?.stop())

  async function clientWith(options: MongoClientOptions): Promise<VaultMongoClient> {
    const { host, port } = way
    return await servers.client(
      options,
      `mongodb://${host}:${port}/${servers.place.database}?directConnection=true`,
    )
  }

  const find = (client: VaultMongoClient): Promise<unknown> => itemsOf(client).findOne({ _id: 1 })
  const open = async (): Promise<number> => {
    const sessions = await servers.sessions()
    return [...sessions.values()].reduce((sum, count) => sum + count, 0)
  }
  const untilOpen = (count: number): Promise<unknown> =>
    vi.waitFor(async () => expect(await open()).toBe(count), { timeout: 5_000 })

  it('minPoolSize: so many connections are open, of the user in force, before and after a rotation', async () => {
    const client = await clientWith({ minPoolSize: 2, maxPoolSize: 3 })
    await find(client)
    await untilOpen(2)
    await client.lease.rotate()
    await untilRetired(client)
    await find(client)
    await untilOpen(2)
    expect([...(await servers.sessions()).keys()]).toEqual([client.lease.current?.username])
  })

  it('maxIdleTimeMS: a connection that was idle for longer is not used again', async () => {
    const client = await clientWith({ maxIdleTimeMS: 100 })
    const created: unknown[] = []
    client.on('connectionCreated', (event) => created.push(event))
    await find(client)
    await find(client)
    const before = created.length
    await sleep(300)
    await find(client)
    expect(created.length).toBe(before + 1)
  })

  it('minPoolSize: what nobody has used is closed in good order like every other', async () => {
    const client = await clientWith({ minPoolSize: 3 })
    await find(client)
    await untilOpen(3)
    const retired = new Promise((resolve) => client.lease.once('retired', resolve))
    await client.lease.rotate()
    expect(await retired).toMatchObject({ generation: 1, closed: 3, forced: 0 })
  })

  it('maxConnecting: so many connections are opened at a time', async () => {
    const client = await clientWith({ maxConnecting: 1, maxPoolSize: 5 })
    await find(client)
    let connecting = 0
    let most = 0
    client.on('connectionCreated', () => {
      most = Math.max(most, ++connecting)
    })
    client.on('connectionReady', () => {
      connecting--
    })
    way.set({ kind: 'latency', ms: 20 })
    await Promise.all(Array.from({ length: 5 }, () => find(client)))
    expect(most).toBe(1)
  })

  it('waitQueueTimeoutMS: who waits for a connection for longer is told so, by the driver', async () => {
    const client = await clientWith({ waitQueueTimeoutMS: 1_000, maxPoolSize: 1 })
    await find(client)
    const session = client.startSession()
    session.startTransaction()
    await itemsOf(client).findOne({ _id: 1 }, { session })
    way.set({ kind: 'latency', ms: 2_000 })
    const slow = find(client)
    expect(await failureOf(find(client))).toMatchObject({ name: 'MongoWaitQueueTimeoutError' })
    way.set({ kind: 'none' })
    await slow.catch(() => {})
    await session.abortTransaction().catch(() => {})
    await session.endSession()
  })

  it('socketTimeoutMS and the heartbeat: a way that goes silent costs one operation', async () => {
    const client = await clientWith({ socketTimeoutMS: 1_500, retryReads: false, heartbeatFrequencyMS: 500 })
    await find(client)
    way.set({ kind: 'freeze' })
    const lost = failureOf(find(client))
    expect(await settlesWithin(lost, 5_000)).toBe(true)
    expect(await settlesWithin(find(client), 5_000)).toBe(true)
    expect(await settlesWithin(client.lease.rotate(), 5_000)).toBe(true)
    await find(client)
  })

  it('is counted from its first connection on, before anybody has used it', async () => {
    const client = await clientWith({})
    await client.connect()
    const [place] = client.lease.status().places
    expect(place?.usage).toMatchObject({
      connections: [{ generation: 1, open: await open() }],
      load: { idle: 1 },
    })
    expect(await open()).toBe(1)
  })
})

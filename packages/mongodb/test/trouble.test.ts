import { once } from 'node:events'
import { createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ServerDescriptionChangedEvent, TopologyDescriptionChangedEvent } from 'mongodb'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import type { VaultMongoClient } from '../src/index.ts'
import { failureOf, items, itemsOf, type Servers, startServers, untilRetired } from './servers.ts'

const unauthorized = { ok: 0, code: 13, codeName: 'Unauthorized', errmsg: 'Command requires authentication' }
const untilReady = { timeout: 15_000, interval: 50 }

type Changed = ServerDescriptionChangedEvent | TopologyDescriptionChangedEvent

function fromTo({ previousDescription, newDescription }: Changed): string {
  return `${previousDescription.type} to ${newDescription.type}`
}

describe('VaultMongoClient in trouble', () => {
  let servers: Servers
  beforeAll(async () => {
    servers = await startServers()
  })
  afterEach(async () => {
    await servers.database.start()
    servers.database.resume()
    servers.vault.resume()
    await servers.endAll()
  })
  afterAll(() => servers?.stop())

  const find = (client: VaultMongoClient): Promise<unknown> => itemsOf(client).findOne({ _id: 1 })
  const isWell = async (client: VaultMongoClient, generation: number): Promise<void> => {
    expect(await itemsOf(client).countDocuments()).toBe(items)
    expect(client.lease.status()).toMatchObject({ state: 'ready', generation })
  }
  const changePassword = (user: string | undefined): Promise<unknown> =>
    servers.asSuperuser({ updateUser: user, pwd: 'changed behind the back', $db: 'admin' })

  /** Does as MongoDB does, and the stand-in does not: a user that was dropped is refused on every connection. */
  const strictClient = async (hold?: () => Promise<unknown>): Promise<VaultMongoClient> => {
    const { uri } = await servers.gateway(async (command, user) => {
      if ('find' in command) await hold?.()
      const asksForRights = !('hello' in command || 'saslStart' in command || 'saslContinue' in command)
      if (!user || !asksForRights) return undefined
      return (await servers.engine.users()).includes(user) ? undefined : unauthorized
    })
    return await servers.client({}, uri)
  }

  describe('when the server refuses the user on connecting (18)', () => {
    it('rotates once for all, connects again, and does nothing twice', async () => {
      const client = await servers.client()
      await client.connect()
      const users = vi.fn()
      client.lease.on('rotated', users)
      await changePassword(client.lease.status().username)
      const inserts = Array.from({ length: 10 }, (_, n) =>
        itemsOf(client).insertOne({ _id: 2_000 + n, name: 'once' }),
      )
      await Promise.all(inserts)
      expect((await itemsOf(client).deleteMany({ name: 'once' })).deletedCount).toBe(10)
      expect(users).toHaveBeenCalledOnce()
      await isWell(client, 2)
    })

    it('serves what the driver would not try again: updates of many, transactions, bulk writes', async () => {
      const client = await servers.client({ retryWrites: false, retryReads: false, maxPoolSize: 20 })
      await client.connect()
      await changePassword(client.lease.status().username)
      const session = client.startSession()
      session.startTransaction()
      await Promise.all([
        itemsOf(client).updateMany({ _id: 1 }, { $set: { name: 'item 1' } }),
        itemsOf(client).bulkWrite([
          { updateMany: { filter: { _id: 1 }, update: { $set: { name: 'item 1' } } } },
        ]),
        itemsOf(client).findOne({}, { session }),
        ...Array.from({ length: 10 }, () => find(client)),
      ])
      await session.commitTransaction()
      await session.endSession()
      await isWell(client, 2)
    })

    it('rotates too when the lease was made by another, and the user is gone before the first connection', async () => {
      const lease = await servers.lease()
      await lease.ready()
      await servers.engine.revokePrefix(servers.role)
      const client = await servers.client({ lease })
      await client.connect()
      await isWell(client, 2)
    })
  })

  describe('when the server denies a command (13)', () => {
    it('notices that the user was dropped: what is under way fails, and nobody else', async () => {
      const client = await strictClient(() => sleep(30))
      await Promise.all(Array.from({ length: 3 }, () => find(client)))
      await servers.engine.revokePrefix(servers.role)
      const outcomes = await Promise.allSettled(Array.from({ length: 30 }, () => find(client)))
      const failures = outcomes.filter((outcome) => outcome.status === 'rejected')
      for (const { reason } of failures) expect(reason).toMatchObject({ code: 13 })
      expect(failures.length).toBeGreaterThan(0)
      expect(failures.length).toBeLessThanOrEqual(3)
      await isWell(client, 2)
    })

    it('tells a transaction whose user was dropped, and begins the next one as the new user', async () => {
      const client = await strictClient()
      const session = client.startSession()
      session.startTransaction()
      await itemsOf(client).insertOne({ _id: 3_000, name: 'never' }, { session })
      await servers.engine.revokePrefix(servers.role)
      const change = { $set: { name: 'x' } }
      const failure = await failureOf(itemsOf(client).updateOne({ _id: 3_000 }, change, { session }))
      expect(failure).toMatchObject({ code: 13 })
      await session.abortTransaction()
      await vi.waitUntil(() => client.lease.status().generation === 2, untilReady)
      session.startTransaction()
      expect(await itemsOf(client).findOne({ _id: 3_000 }, { session })).toBe(null)
      await session.commitTransaction()
      await session.endSession()
      await isWell(client, 2)
    })

    it('goes on with a change stream whose user was dropped', async () => {
      const client = await strictClient()
      const events = client.db().collection<{ n: number }>('events')
      const told: unknown[] = []
      const changes = events.watch([], { maxAwaitTimeMS: 50 })
      changes.on('change', (change) => told.push(change))
      await once(changes, 'resumeTokenChanged')
      await events.insertOne({ n: 1 })
      await vi.waitUntil(() => told.length === 1, untilReady)
      await client.lease.rotate()
      await events.insertOne({ n: 2 })
      await vi.waitUntil(() => told.length === 2, untilReady)
      await changes.close()
    })

    it('asks only once in a while whether the user is still there', async () => {
      const client = await servers.client()
      const created = vi.fn()
      await find(client)
      client.on('connectionReady', created)
      for (let attempt = 0; attempt < 20; attempt++) {
        const denied = client.db('private').collection('forbidden').findOne()
        expect(await failureOf(denied)).toMatchObject({ code: 13 })
      }
      expect(created).toHaveBeenCalledTimes(1)
      await isWell(client, 1)
    })
  })

  describe('when the database is in trouble', () => {
    it('says so within its server selection time-out when it is down at the start, and comes up later', async () => {
      await servers.database.kill()
      const client = await servers.client({ serverSelectionTimeoutMS: 500 })
      const began = performance.now()
      const failure = await failureOf(client.connect())
      expect(failure).toMatchObject({ code: 'ERR_CREDENTIALS_UNAVAILABLE', retryable: true })
      expect(performance.now() - began).toBeLessThan(6_000)
      await servers.database.start()
      await vi.waitFor(() => find(client), untilReady)
      expect(client.lease.status().state).toBe('ready')
    })

    it('goes on after a restart, with operations that the driver tries again and with change streams', async () => {
      const client = await servers.client()
      await find(client)
      await servers.database.restart()
      expect(await find(client)).toMatchObject({ _id: 1 })
      await isWell(client, 1)
      await client.lease.rotate()
      await isWell(client, 2)
    })

    it('tells that the server is there again when the client says so that is in force', async () => {
      let held = false
      const { uri } = await servers.gateway(async (command) => {
        if (held && 'find' in command) await sleep(10_000, undefined, { ref: false })
        return undefined
      })
      const quiet = { serverMonitoringMode: 'poll', heartbeatFrequencyMS: 60_000, retryReads: false } as const
      const client = await servers.client(quiet, uri)
      await find(client)
      const changes: string[] = []
      const whole: string[] = []
      client.on('serverDescriptionChanged', (changed) => changes.push(fromTo(changed)))
      client.on('topologyDescriptionChanged', (changed) => whole.push(fromTo(changed)))
      held = true
      const failure = failureOf(find(client))
      await sleep(100)
      await servers.database.kill()
      expect(await failure).toMatchObject({ name: 'MongoNetworkError' })
      await servers.database.start()
      expect(changes).toEqual(['RSPrimary to Unknown'])
      await client.lease.rotate()
      expect(changes).toEqual(['RSPrimary to Unknown', 'Unknown to RSPrimary'])
      expect(whole).toEqual(['Single to Single', 'Single to Single'])
    })

    it('rotates when the primary has stepped down, and writes again when there is one', async () => {
      const client = await servers.client({
        serverSelectionTimeoutMS: 10_000,
        // The stand-in does not tell those who wait for news of it.
        serverMonitoringMode: 'poll',
        heartbeatFrequencyMS: 500,
      })
      await find(client)
      await servers.asSuperuser({ replSetStepDown: 2, force: true, $db: 'admin' })
      const write = () => itemsOf(client).updateOne({ _id: 1 }, { $set: { name: 'item 1' } })
      expect(await failureOf(write())).toMatchObject({ code: 10_107 })
      await client.lease.rotate()
      await write()
      await isWell(client, 2)
    })

    it('a rotation that the database does not answer leaves the old user in force', async () => {
      let deaf = false
      const { uri } = await servers.gateway(async () => (deaf ? await sleep(2_000, unauthorized) : undefined))
      const client = await servers.client({ serverSelectionTimeoutMS: 1_500 }, uri)
      await find(client)
      deaf = true
      const before = client.lease.status().username
      const rotation = failureOf(client.lease.rotate())
      expect(await rotation).toMatchObject({ code: 'ERR_CREDENTIAL_NOT_PROVEN' })
      expect(client.lease.status()).toMatchObject({ generation: 1, username: before })
      deaf = false
      expect(await find(client)).toMatchObject({ _id: 1 })
      expect((await servers.engine.drops()).at(-1)).toMatchObject({ openSessions: 0 })
    }, 20_000)

    it('closes in bounded time when the database does not answer', async () => {
      const client = await servers.client()
      await Promise.all([find(client), find(client)])
      const changes = client.db().collection('events').watch()
      await changes.tryNext()
      servers.database.pause()
      const began = performance.now()
      await client.close()
      expect(performance.now() - began).toBeLessThan(30_000)
      servers.database.resume()
      await vi.waitFor(async () => expect(await servers.engine.users()).toEqual([]), {
        ...untilReady,
        timeout: 30_000,
      })
    }, 70_000)
  })

  describe('at the deadline of a drain', () => {
    const retired = {
      code: 'ERR_CONNECTION_RETIRED',
      message: expect.stringMatching(/belonged to the database user "v-.*rotation\.drainTimeoutMs/),
    }

    it('ends operations, cursors and transactions with an error that says so, and their sessions go on', async () => {
      let slow = false
      const { uri } = await servers.gateway(async (command) => {
        if (slow && 'count' in command) await sleep(60_000, undefined, { ref: false })
        return undefined
      })
      const client = await servers.client({ rotation: { drainTimeoutMs: 200 } }, uri)
      const session = client.startSession()
      session.startTransaction()
      await itemsOf(client).insertOne({ _id: 4_000, name: 'never' }, { session })
      const cursor = itemsOf(client).find({}, { batchSize: 10 })
      await cursor.next()
      slow = true
      const operation = failureOf(itemsOf(client).estimatedDocumentCount())
      await sleep(50)
      const ended = once(client.lease, 'retired')
      await client.lease.rotate()
      expect((await ended)[0]).toMatchObject({ generation: 1, forced: 3 })
      expect(await operation).toMatchObject(retired)
      expect(await failureOf(cursor.toArray())).toMatchObject(retired)
      expect(await failureOf(itemsOf(client).findOne({}, { session }))).toMatchObject(retired)
      expect(await failureOf(session.commitTransaction())).toMatchObject(retired)
      await session.abortTransaction().catch(() => {})
      slow = false
      session.startTransaction()
      expect(await itemsOf(client).findOne({ _id: 4_000 }, { session })).toBe(null)
      await session.commitTransaction()
      await session.endSession()
      await isWell(client, 2)
    })
  })

  it('does without Vault while its user lives, and recovers when that is over', async () => {
    await servers.engine.role('short', { ttl: '3s', maxTtl: '60s' })
    const client = await servers.client({ role: 'short', vault: await servers.vaultOptions() })
    await find(client)
    servers.vault.pause()
    await sleep(1_500)
    expect(await find(client)).toMatchObject({ _id: 1 })
    await vi.waitUntil(() => !client.lease.current, untilReady)
    expect(await failureOf(find(client))).toMatchObject({ code: 'ERR_CREDENTIALS_UNAVAILABLE' })
    expect(await failureOf(itemsOf(client).bulkWrite([{ deleteOne: { filter: { _id: 0 } } }]))).toMatchObject(
      {
        code: 'ERR_CREDENTIALS_UNAVAILABLE',
      },
    )
    servers.vault.resume()
    await vi.waitFor(() => find(client), untilReady)
    await untilRetired(client)
  }, 40_000)

  it('closes a client that had not connected yet when its user was replaced, and does what waited for it', async () => {
    const lease = await servers.lease()
    await lease.ready()
    const first = lease.status().username
    const held: (() => void)[] = []
    const { uri } = await servers.gateway(async (command, user) => {
      if (user === first && 'saslContinue' in command) await new Promise<void>((go) => held.push(go))
      return undefined
    })
    const client = await servers.client({ lease }, uri)
    const waiting = find(client)
    await vi.waitUntil(() => held.length > 0, untilReady)
    await lease.rotate()
    await untilRetired(client)
    expect(await waiting).toMatchObject({ _id: 1 })
    for (const go of held) go()
    await sleep(200)
    expect((await servers.sessions()).has(first ?? '')).toBe(false)
    expect(await servers.engine.users()).toEqual([lease.status().username])
    await isWell(client, 2)
  })

  it('does not take a connection for proven whose user the server takes for another', async () => {
    const { uri } = await servers.gateway(async (command) =>
      'connectionStatus' in command
        ? { ok: 1, authInfo: { authenticatedUsers: [{ user: 'somebody', db: 'admin' }] } }
        : undefined,
    )
    const client = await servers.client({}, uri)
    expect(String(await failureOf(client.connect()))).toContain('the server takes the user for somebody')
    expect(await servers.engine.users()).toEqual([])
  })

  it('says what the driver heard, also when there is less time than the driver takes to give up', async () => {
    const uri = 'mongodb://127.0.0.1:1/app'
    const client = await servers.client({ serverSelectionTimeoutMS: 60_000 }, uri)
    expect(String(await failureOf(find(client)))).toContain('ECONNREFUSED')
    expect(await servers.engine.users()).toEqual([])
  })

  it('fails at once on a port where nobody listens, in a rotation too', async () => {
    const listener = createServer().listen(0, '127.0.0.1')
    await once(listener, 'listening')
    const address = listener.address()
    const port = typeof address === 'object' ? address?.port : undefined
    listener.close()
    const client = await servers.client({ serverSelectionTimeoutMS: 300 }, `mongodb://127.0.0.1:${port}/app`)
    const failure = await failureOf(find(client))
    expect(failure).toMatchObject({ code: 'ERR_CREDENTIALS_UNAVAILABLE' })
    expect(String(failure)).toContain('could not be tried at the database')
    expect(await servers.engine.users()).toEqual([])
  })
})

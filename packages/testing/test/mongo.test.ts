import { setTimeout as sleep } from 'node:timers/promises'
import {
  type DatabaseServer,
  type Servers,
  startMongo,
  startServers,
  watchSessions,
} from '@vault-lease/testing'
import { MongoClient } from 'mongodb'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { isRunning, lineFrom, printedBy, runChild } from './child.ts'

interface Item {
  readonly _id: number
}

function clientOf(port: number, { user: username, password }: DatabaseServer['superuser']): MongoClient {
  const options = {
    directConnection: true,
    authSource: 'admin',
    maxPoolSize: 1,
    serverSelectionTimeoutMS: 2_000,
  }
  return new MongoClient(`mongodb://127.0.0.1:${port}/app`, { ...options, auth: { username, password } })
}

const find = '{"find":"items"}'

/** The watch looks every few milliseconds; on a busy machine it comes to that later. */
const looksWithinMs = 1_000

describe('MongoDB and the database engine on it', () => {
  let servers: Servers
  beforeAll(async () => {
    const schema = [
      '{"insert":"items","documents":[{"_id":1}]}',
      '{"insert":"forbidden","documents":[{"_id":1}],"$db":"private"}',
    ]
    servers = await startServers({ kind: 'mongodb', schema })
    await servers.engine.role('app', { ttl: '1m', maxTtl: '5m' })
  })
  afterAll(() => servers?.stop())

  /** A client of a new user that has one connection. */
  async function clientOfNewUser(): Promise<{ client: MongoClient; user: string }> {
    const { body } = await servers.vault.must('GET', `${servers.engine.mount}/creds/app`)
    const { username: user, password } = body.data
    const client = clientOf(servers.database.port, { user, password })
    await client.db().collection('items').findOne()
    return { client, user }
  }

  it('runs commands on its database or on another one, and gives the first batch or the reply', async () => {
    const { database } = servers
    expect(await database.query(find)).toEqual([{ _id: 1 }])
    expect(await database.query('{"find":"forbidden","$db":"private"}')).toEqual([{ _id: 1 }])
    expect(await database.query('{"count":"items"}')).toEqual([expect.objectContaining({ n: 1 })])
    await expect(database.query('{"noSuchCommand":1}')).rejects.toMatchObject({ code: 59 })
  })

  it('nobody is let in without a password', async () => {
    const client = new MongoClient(`mongodb://127.0.0.1:${servers.database.port}/app?directConnection=true`)
    await expect(client.db().collection('items').findOne()).rejects.toMatchObject({ code: 13 })
    await client.close()
  })

  it('makes users that can use the database and no other', async () => {
    const { client, user } = await clientOfNewUser()
    expect(await servers.engine.users()).toEqual([user])
    await client.db().collection<Item>('items').insertOne({ _id: 2 })
    expect(await client.db().collection<Item>('items').find().toArray()).toEqual([{ _id: 1 }, { _id: 2 }])
    await client.db().collection<Item>('items').deleteOne({ _id: 2 })
    const forbidden = client.db('private').collection('forbidden')
    await expect(forbidden.findOne()).rejects.toMatchObject({ code: 13 })
    await client.close()
    await servers.engine.revokePrefix('app')
    expect(await servers.engine.users()).toEqual([])
  })

  it('drops users with a count of their open sessions', async () => {
    const before = (await servers.engine.drops()).length
    const { client, user } = await clientOfNewUser()
    const at = Date.now()
    await servers.engine.revokePrefix('app')
    const gone = await clientOfNewUser()
    await gone.client.close()
    await servers.engine.revokePrefix('app')
    const drops = (await servers.engine.drops()).slice(before)
    expect(drops).toEqual([
      { username: user, openSessions: 1, at: expect.any(Number) },
      { username: gone.user, openSessions: 0, at: expect.any(Number) },
    ])
    expect(Math.abs((drops[0]?.at ?? 0) - at)).toBeLessThan(2_000)
    await client.close()
  })

  it('the watch sees sessions, across a restart', async () => {
    const watch = await watchSessions(servers.database)
    await servers.database.restart()
    const { client, user } = await clientOfNewUser()
    await sleep(looksWithinMs)
    await client.close()
    await sleep(looksWithinMs)
    const { timeline, mostAtOnce } = await watch.stop()
    expect(mostAtOnce).toBe(1)
    expect(timeline.map(({ sessions }) => sessions).slice(-2)).toEqual([{ [user]: 1 }, {}])
    await servers.engine.revokePrefix('app')
  })

  it('what it has acknowledged is there after it was killed', async () => {
    const { database } = servers
    await database.query('{"insert":"kept","documents":[{"_id":1}]}')
    await database.kill()
    await expect(database.query(find)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    await database.start()
    expect(await database.query('{"find":"kept"}')).toEqual([{ _id: 1 }])
    await database.query('{"insert":"kept","documents":[{"_id":2}]}')
    await database.restart('fast')
    expect(await database.query('{"find":"kept"}')).toEqual([{ _id: 1 }, { _id: 2 }])
  })

  it('is paused and resumed', async () => {
    const session = await servers.database.connect()
    servers.database.pause()
    // All threads of a busy machine take a moment to stop.
    await sleep(100)
    const answer = session.query(find).then(() => 'answered')
    expect(await Promise.race([answer, sleep(300, 'silence')])).toBe('silence')
    servers.database.resume()
    expect(await answer).toBe('answered')
    await session.end()
  })

  it('works on a server that the environment names, which it cannot stop', async () => {
    const { port, superuser } = servers.database
    const url = `mongodb://${superuser.user}:${superuser.password}@127.0.0.1:${port}/app`
    const refused = expect.stringContaining('cannot be stopped from here')
    for (const variable of ['VAULT_LEASE_TEST_MONGODB_URL', 'MONGODB_URI']) {
      const seen = await printedBy(runChild('uses-mongo.ts', { [variable]: url }))
      expect(seen).toEqual({ items: [{ _id: 1 }], refused })
    }
  })

  it.each(['SIGTERM', 'SIGKILL'] as const)('nothing outlives a process that %s ends', async (signal) => {
    const child = runChild('starts-mongo.ts')
    const pids: number[] = JSON.parse(await lineFrom(child))
    const before = pids.filter(isRunning)
    child.kill(signal)
    // The watchdog, MongoDB and Vault; a plugin is a process only below OpenBao.
    expect(before.length).toBeGreaterThanOrEqual(3)
    await expect.poll(() => pids.filter(isRunning), { timeout: 5_000 }).toEqual([])
  })

  it('what counts the drops ends with the servers', async () => {
    const others = await startServers({ kind: 'mongodb' })
    const { body } = await others.vault.must('GET', `${others.engine.mount}/config/mongodb`)
    const { port } = new URL(body.data.connection_details.connection_url)
    await others.stop()
    const client = clientOf(Number(port), others.database.superuser)
    await expect(client.connect()).rejects.toThrow('ECONNREFUSED')
  })

  it('two at once do not meet, and a paused one can be stopped', async () => {
    await using other = await startMongo()
    expect(await other.query(find)).toEqual([])
    other.pause()
  })
})

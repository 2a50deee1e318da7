import { once } from 'node:events'
import { type DatabaseServer, startMongo } from '@vault-lease/testing'
import { MongoClient } from 'mongodb'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type MongoGateway, type MongoGatewayOptions, openMongoGateway } from '../src/mongo/gateway.ts'
import { lineFrom, runChild } from './child.ts'

describe('the gateway before MongoDB', () => {
  let mongo: DatabaseServer
  let gateway: MongoGateway
  let client: MongoClient
  beforeAll(async () => {
    mongo = await startMongo()
    await mongo.query('{"insert":"items","documents":[{"_id":1}]}')
  })
  afterEach(async () => {
    await client.close()
    await gateway.close()
  })
  afterAll(() => mongo?.stop())

  async function through(onCommand: MongoGatewayOptions['onCommand']): Promise<void> {
    gateway = await openMongoGateway({ host: mongo.host, port: mongo.port, onCommand })
    client = clientAt(gateway.port)
  }

  function clientAt(port: number): MongoClient {
    const { user: username, password } = mongo.superuser
    return new MongoClient(`mongodb://127.0.0.1:${port}/app`, {
      directConnection: true,
      authSource: 'admin',
      auth: { username, password },
      serverSelectionTimeoutMS: 2_000,
    })
  }

  const findOne = (): Promise<unknown> => client.db().collection('items').findOne()

  it('shows each command with its user before the server has it', async () => {
    const seen: unknown[] = []
    await through(async ({ insert, find, $db }, user) => {
      if (insert) seen.push(['insert', insert, $db, user, await mongo.query('{"find":"large"}')])
      if (find) seen.push(['find', find, $db, user])
      return undefined
    })
    const large = { text: 'x'.repeat(1_000_000) }
    await client.db().collection('large').insertOne(large)
    expect(await findOne()).toEqual({ _id: 1 })
    expect(await client.db().collection('large').findOne()).toEqual(large)
    const { user } = mongo.superuser
    expect(seen).toEqual([
      ['insert', 'large', 'app', user, []],
      ['find', 'items', 'app', user],
      ['find', 'large', 'app', user],
    ])
  })

  it('answers instead of the server, as a server does that knows a user no more', async () => {
    const unauthorized = { ok: 0, code: 13, codeName: 'Unauthorized', errmsg: 'not authorized on app' }
    await through(async ({ insert }) => (insert ? unauthorized : undefined))
    const items = client.db().collection('items')
    await expect(items.insertOne({})).rejects.toMatchObject({ code: 13, message: 'not authorized on app' })
    await items.insertOne({}, { writeConcern: { w: 0 } })
    expect(await items.find().toArray()).toEqual([{ _id: 1 }])
  })

  it('tells the client when the one that looks at the commands fails', async () => {
    await through(async ({ find }) => {
      if (find) throw new Error('could not look')
      return undefined
    })
    await expect(findOne()).rejects.toMatchObject({ code: 8, message: 'Error: could not look' })
  })

  it('ends its connections with the server, and leads to it again when it is back', async () => {
    await through(async () => undefined)
    await findOne()
    const closed = new Promise((resolve) => client.once('connectionPoolCleared', resolve))
    await mongo.kill()
    await closed
    await mongo.start()
    expect(await findOne()).toEqual({ _id: 1 })
  })

  it('does not keep its process alive', async () => {
    const child = runChild('opens-gateway.ts', { PORT: String(mongo.port) })
    const exited = once(child, 'exit')
    client = clientAt(Number(await lineFrom(child)))
    await findOne()
    expect(await exited).toEqual([0, null])
  })

  it('ends everything when it is closed', async () => {
    await through(async () => undefined)
    await findOne()
    await gateway.close()
    const other = new MongoClient(`mongodb://${gateway.host}:${gateway.port}`, {
      serverSelectionTimeoutMS: 100,
    })
    await expect(other.connect()).rejects.toThrow('ECONNREFUSED')
    await other.close()
    const sessions = '{"currentOp":1,"$all":true,"$db":"admin"}'
    await expect
      .poll(async () => {
        const [reply] = await mongo.query<{ inprog: { effectiveUsers: unknown[] }[] }>(sessions)
        return reply?.inprog.filter(({ effectiveUsers }) => effectiveUsers.length > 0).length
      })
      .toBe(1)
  })
})

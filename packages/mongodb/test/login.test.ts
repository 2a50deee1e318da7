import { type CommandStartedEvent, MongoClient } from 'mongodb'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { Credential } from '../../core/src/lease/credential.ts'
import { type DatabaseServer, startMongo } from '../../testing/src/index.ts'
import { openMongoGateway } from '../../testing/src/mongo/gateway.ts'
import { type Address, connectAs } from '../src/connect-as.ts'
import { failureOf } from './servers.ts'

const username = 'keeps-its-name'
const mechanisms = ['SCRAM-SHA-1', 'SCRAM-SHA-256'] as const
const loginOverdue = { ok: 0, code: 391, codeName: 'ReauthenticationRequired', errmsg: 'log in again' }

/** A client with what the test of its connections needs. */
interface Watched {
  readonly client: MongoClient
  readonly events: ReadonlySet<unknown>
  /** Does so many operations at once, and tells by which connections: the server has numbered them. */
  work(times: number): Promise<unknown[]>
}

describe('the login of new connections', () => {
  let server: DatabaseServer
  let login: Credential
  const opened: { close(): Promise<unknown> }[] = []
  beforeAll(async () => {
    server = await startMongo()
    const roles = [{ role: 'read', db: 'app' }]
    await asSuperuser({ createUser: username, pwd: 'never used', roles, mechanisms })
  })
  afterEach(async () => {
    for (const each of opened.splice(0).toReversed()) await each.close()
  })
  afterAll(() => server?.stop())

  const asSuperuser = (command: object): Promise<unknown> =>
    server.query(JSON.stringify({ ...command, $db: 'admin' }))

  const changePassword = async (password: string): Promise<void> => {
    await asSuperuser({ updateUser: username, pwd: password })
    login = new Credential(1, username, password)
  }

  const addressOf = ({ host, port }: { host: string; port: number }, options = {}): Address => ({
    uri: `mongodb://${host}:${port}/app?directConnection=true`,
    options: { authSource: 'admin', maxPoolSize: 20, monitorCommands: true, ...options },
  })

  const connect = async (
    address: Address,
    { newest = () => login, driver = { MongoClient } } = {},
  ): Promise<Watched> => {
    const events = new Set<unknown>()
    const busy = new Set<unknown>()
    const note = (event: unknown, told: unknown): boolean => {
      events.add(event)
      if (event === 'commandStarted') busy.add((told as CommandStartedEvent).serverConnectionId)
      return true
    }
    const signal = new AbortController().signal
    const client = await connectAs(driver, address, newest, note, signal)
    opened.push(client)
    return {
      client,
      events,
      async work(times) {
        busy.clear()
        const items = client.db().collection('items')
        await Promise.all(Array.from({ length: times }, () => items.findOne()))
        return [...busy]
      },
    }
  }

  it.each([undefined, ...mechanisms])(
    'is the newest, while connections that are open go on; by %s',
    async (authMechanism) => {
      await changePassword('first')
      const { work, events } = await connect(
        addressOf(server, { heartbeatFrequencyMS: 500, ...(authMechanism && { authMechanism }) }),
      )
      let open = await work(3)
      for (const password of ['second', 'third', 'fourth']) {
        await changePassword(password)
        expect(open).toEqual(expect.arrayContaining(await work(open.length)))
        const more = await work(open.length + 4)
        expect(more).toEqual(expect.arrayContaining(open))
        expect(more.length).toBeGreaterThan(open.length)
        open = more
      }
      expect(events).toContain('connectionReady')
      for (const bad of ['connectionClosed', 'connectionPoolCleared', 'serverHeartbeatFailed']) {
        expect(events).not.toContain(bad)
      }
    },
  )

  it('is refused when it stays the same', async () => {
    await changePassword('first')
    const first = login
    const { work } = await connect(addressOf(server), { newest: () => first })
    const open = await work(3)
    await changePassword('second')
    await work(open.length)
    expect(await failureOf(work(open.length + 4))).toMatchObject({ code: 18 })
  })

  it('is the newest also when the server has an old connection log in again', async () => {
    let overdue = false
    const gateway = await openMongoGateway({
      ...server,
      async onCommand(command) {
        if (!overdue || !('find' in command)) return undefined
        overdue = false
        return loginOverdue
      },
    })
    opened.push(gateway)
    await changePassword('first')
    const { work, events } = await connect(addressOf(gateway))
    const open = await work(1)
    await changePassword('second')
    overdue = true
    expect(await work(1)).toEqual(open)
    expect(overdue).toBe(false)
    expect(events).not.toContain('connectionClosed')
  })

  it.each([
    undefined,
    { authProviders: {} },
    { authProviders: { getOrCreateProvider: () => ({ auth: async () => {} }) } },
  ])('is left to no driver that may not ask for it: a client whose "s" is %o is not connected', async (s) => {
    class OtherClient extends MongoClient {
      constructor(uri: string, options?: object) {
        super(uri, options)
        Object.defineProperty(this, 's', { value: s })
      }
    }
    expect(
      await failureOf(connect(addressOf(server), { driver: { MongoClient: OtherClient } })),
    ).toMatchObject({
      code: 'ERR_INVALID_OPTION',
      message: expect.stringContaining('what logs in its connections'),
    })
  })
})

import { setTimeout as sleep } from 'node:timers/promises'
import { settlesWithin } from '@vault-lease/core/adapter'
import { createClient, type RedisClientType } from 'redis'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { openFaultProxy } from '../../testing/src/index.ts'
import { vaultRedis } from '../src/index.ts'
import { rotate, rotating, type Servers, startServers, startSlowWay, untilRetired } from './servers.ts'

describe('vaultRedis() on a client of node-redis', () => {
  let servers: Servers
  beforeAll(async () => {
    servers = await startServers()
  })
  afterEach(() => servers.endAll())
  afterAll(() => servers?.stop())

  const reconnects = (redis: RedisClientType): Promise<void> =>
    new Promise((resolve) => redis.once('reconnecting', () => resolve()))
  const untilBlocked = () =>
    vi.waitUntil(async () => String(await servers.ask('CLIENT', 'LIST')).includes('cmd=blpop'))

  it.each([2, 3] as const)(
    'changes the user of open connections, which stay open, by RESP%i',
    async (RESP) => {
      const redis = await servers.nodeRedis({ RESP })
      const id = await redis.sendCommand(['CLIENT', 'ID'])
      const users = new Set([await redis.aclWhoAmI()])
      for (let rotation = 0; rotation < 5; rotation++) {
        await rotate(redis.lease, 1)
        users.add(await redis.aclWhoAmI())
      }
      expect(users.size).toBe(6)
      expect(await redis.sendCommand(['CLIENT', 'ID'])).toBe(id)
      expect(await servers.sessions()).toEqual({ open: 1, users: 1 })
    },
  )

  it.each([undefined, 2, 3] as const)('tells every message once, in order, by RESP %s', async (RESP) => {
    const redis = await servers.nodeRedis(RESP ? { RESP } : {})
    const subscriber = redis.duplicate()
    await subscriber.connect()
    const told: number[] = []
    const tell = (n: string): void => void told.push(Number(n))
    await subscriber.subscribe(['one', 'two'], tell)
    await subscriber.pSubscribe('three*', tell)
    const idOf = async () =>
      /id=(\d+)/.exec(String(await servers.ask('CLIENT', 'LIST', 'TYPE', 'PUBSUB')))?.[1]
    const id = await idOf()
    const stop = rotating(redis.lease)
    const published = 5_000
    for (let n = 0; n < published; n++) await redis.publish(['one', 'two', 'three.'][n % 3] ?? '', String(n))
    expect(await stop()).toBeGreaterThanOrEqual(5)
    await vi.waitUntil(() => told.length >= published)
    expect(told).toEqual(Array.from({ length: published }, (_, n) => n))
    expect(await idOf()).toBe(id)
    await subscriber.unsubscribe('one', tell)
    await redis.publish('one', '-1')
    await redis.publish('two', '-2')
    await vi.waitUntil(() => told.at(-1) === -2)
    expect(told).toHaveLength(published + 1)
    await subscriber.close()
  })

  it('keeps the connection of one that listens through a rotation, though a command has failed on it', async () => {
    const redis = await servers.nodeRedis({ RESP: 2 })
    const id = await redis.sendCommand(['CLIENT', 'ID'])
    await expect(redis.configGet('port')).rejects.toThrow('NOPERM')
    await redis.subscribe('one', () => {})
    await rotate(redis.lease, 1)
    await redis.unsubscribe('one')
    expect(await redis.sendCommand(['CLIENT', 'ID'])).toBe(id)
  })

  it('lets a command that blocks return, and changes its connection then', async () => {
    const redis = await servers.nodeRedis()
    const worker = redis.duplicate()
    await worker.connect()
    const popped = worker.blPop('queue', 0)
    await untilBlocked()
    await redis.lease.rotate()
    await redis.rPush('queue', 'one')
    expect(await popped).toMatchObject({ key: 'queue', element: 'one' })
    await untilRetired(redis.lease)
    expect(await servers.sessions()).toEqual({ open: 2, users: 1 })
    await worker.close()
  })

  it('replaces a connection that blocks when the time to drain has passed: nothing is lost, nothing comes twice', async () => {
    const lease = await servers.lease({ rotation: { drainTimeoutMs: 100 } })
    const redis = await servers.nodeRedis({}, lease)
    const worker = redis.duplicate()
    await worker.connect()
    const popped: string[] = []
    const working = (async () => {
      while (popped.at(-1) !== 'end') popped.push((await worker.blPop('queue', 0))?.element ?? 'nothing')
    })()
    let forced = 0
    lease.on('retired', (retired) => {
      forced += retired.forced
    })
    const stop = rotating(lease)
    const pushed = Array.from({ length: 500 }, (_, n) => String(n))
    for (const each of pushed) {
      await redis.rPush('queue', each)
      await sleep(2)
    }
    await rotate(lease, 2)
    await stop()
    await redis.rPush('queue', 'end')
    await working
    expect(popped).toEqual([...pushed, 'end'])
    expect(forced).toBeGreaterThan(0)
    await worker.close()
  })

  it('never logs in within a transaction', async () => {
    const redis = await servers.nodeRedis()
    await redis.set('counter', 0)
    const user = await redis.aclWhoAmI()
    await redis.sendCommand(['MULTI'])
    await redis.sendCommand(['INCR', 'counter'])
    await redis.lease.rotate()
    await redis.sendCommand(['INCR', 'counter'])
    expect((await servers.sessions()).users).toBe(1)
    expect(await redis.sendCommand(['EXEC'])).toEqual([1, 2])
    await untilRetired(redis.lease)
    expect(await redis.aclWhoAmI()).not.toBe(user)
  })

  it('keeps what a transaction watches', async () => {
    const redis = await servers.nodeRedis()
    await redis.set('watched', 1)
    await redis.watch('watched')
    await rotate(redis.lease, 2)
    await servers.ask('SET', 'watched', '2')
    await expect(redis.multi().set('watched', 3).exec()).rejects.toThrow('watched keys')
    expect(await redis.get('watched')).toBe('2')
  })

  it('keeps pipelines and transactions whole, and their answers in order', async () => {
    const redis = await servers.nodeRedis()
    const stop = rotating(redis.lease)
    for (let round = 0; round < 300; round++) {
      const [piped, atomic] = await Promise.all([
        redis.multi().set('a', round).get('a').echo('piped').execAsPipeline(),
        redis.withTypeMapping({}).multi().set('b', round).get('b').echo('atomic').exec(),
      ])
      expect(piped).toEqual(['OK', String(round), 'piped'])
      expect(atomic).toEqual(['OK', String(round), 'atomic'])
    }
    expect(await stop()).toBeGreaterThanOrEqual(5)
  })

  it('comes back as the newest user when a connection is lost', async () => {
    const redis = await servers.nodeRedis()
    await redis.select(3)
    await redis.set('key', 'in 3')
    await rotate(redis.lease, 1)
    const id = await redis.sendCommand(['CLIENT', 'ID'])
    await Promise.all([reconnects(redis), servers.ask('CLIENT', 'KILL', 'ID', String(id))])
    expect(await redis.get('key')).toBe('in 3')
    expect(await redis.aclWhoAmI()).toBe(redis.lease.current?.username)
  })

  it('finds another user when its own is dropped, without a failure of what is sent meanwhile', async () => {
    const redis = await servers.nodeRedis()
    const user = await redis.aclWhoAmI()
    await Promise.all([reconnects(redis), servers.engine.revokePrefix(servers.role)])
    const [now, set] = await Promise.all([redis.aclWhoAmI(), redis.multi().set('key', 1).exec()])
    expect(now).not.toBe(user)
    expect(set).toEqual(['OK'])
  })

  it('sends again what was sent together with a login that is refused, though nothing else is answered', async () => {
    const { port } = await startSlowWay(servers)
    const from = { vault: await servers.vaultOptions(), role: servers.role }
    const client = createClient({ socket: { port, host: '127.0.0.1' } })
    const redis = servers.closing(vaultRedis(client, from), (each) => each[Symbol.asyncDispose]())
    await redis.connect()
    const answers = new Promise<unknown[]>((resolve) => {
      redis.once('reconnecting', () => {
        resolve(Promise.all([redis.incr('sent'), redis.multi().incr('sent').exec(), redis.incr('sent')]))
      })
    })
    await servers.engine.revokePrefix(servers.role)
    expect((await answers).flat().sort()).toEqual([1, 2, 3])
  })

  it('revokes its lease with the last of its duplicates, and closing twice is closing once', async () => {
    const redis = await servers.nodeRedis()
    const copy = redis.duplicate()
    const second = copy.duplicate()
    await Promise.all([copy.connect(), second.connect()])
    expect(await servers.sessions()).toEqual({ open: 3, users: 1 })
    await redis.close()
    copy.destroy()
    expect(await second.ping()).toBe('PONG')
    await Promise.all([second.close(), second.close()])
    await second.close()
    expect(await servers.engine.users()).toEqual([])
    await expect(second.ping()).rejects.toThrow('closed')
  })

  it('leaves no connection behind when it is destroyed in whatever step of its beginning', async () => {
    const redis = await servers.nodeRedis()
    const copies = Array.from({ length: 40 }, () => redis.duplicate())
    const connecting = copies.map(async (copy, n) => {
      copy.connect().catch(() => {})
      for (let turn = 0; turn < n; turn++) await new Promise(setImmediate)
      copy.destroy()
    })
    await Promise.all(connecting)
    await vi.waitFor(async () => expect(await servers.sessions()).toEqual({ open: 1, users: 1 }))
    expect(await redis.ping()).toBe('PONG')
  })

  it('is closed with its duplicates by `await using`, connected or not', async () => {
    {
      await using redis = await servers.nodeRedis()
      const copy = redis.duplicate()
      redis.duplicate()
      await copy.connect()
    }
    expect(await servers.engine.users()).toEqual([])
    expect(await servers.sessions()).toEqual({ open: 0, users: 0 })
  })

  it('keeps the members of a pool that it creates, which come and go', async () => {
    const redis = await servers.nodeRedis()
    const pool = redis.createPool({ minimum: 2, maximum: 4, cleanupDelay: 50 })
    await pool.connect()
    const stop = rotating(redis.lease)
    for (let round = 0; round < 100; round++)
      await Promise.all(Array.from({ length: 6 }, () => pool.multi().incr('pooled').ping().exec()))
    expect(await stop()).toBeGreaterThanOrEqual(5)
    expect(await pool.get('pooled')).toBe('600')
    await vi.waitUntil(() => pool.totalClients === 2)
    const ids = () => Promise.all([1, 2].map(() => pool.execute((member) => member.clientId())))
    const before = await ids()
    await rotate(redis.lease, 2)
    expect((await ids()).sort()).toEqual(before.sort())
    await redis.close()
    expect(redis.lease.status().state).toBe('ready')
    expect(await pool.execute((member) => member.aclWhoAmI())).toBe(redis.lease.current?.username)
    await pool.close()
    expect(await servers.engine.users()).toEqual([])
  })

  it('says what to do with a client that has its options and no lease', async () => {
    const redis = await servers.nodeRedis()
    const second = createClient({
      ...redis.options,
      socket: { ...servers.address, reconnectStrategy: false },
    })
    second.on('error', () => {})
    await expect(second.connect()).rejects.toThrow('call vaultRedis() for it, too')
    const { lease } = redis
    const third = vaultRedis(createClient(redis.options), { lease })
    servers.closing(third, (each) => each.close())
    await third.connect()
    expect(await third.aclWhoAmI()).toBe(await redis.aclWhoAmI())
  })

  it('is closed in bounded time when its server has fallen silent', async () => {
    const lease = await servers.lease()
    await using way = await openFaultProxy(servers.address)
    const redis = vaultRedis(createClient({ socket: { host: way.host, port: way.port } }), { lease })
    await redis.connect()
    way.set({ kind: 'freeze' })
    expect(await settlesWithin(redis.close(), 8_000)).toBe(true)
  })

  it('gives up a login that a server does not answer, and tries again', async () => {
    const lease = await servers.lease()
    await lease.ready()
    await using way = await openFaultProxy(servers.address)
    way.set({ kind: 'hang' })
    const socket = { host: way.host, port: way.port, connectTimeout: 200 }
    const redis = vaultRedis(createClient({ socket }), { lease })
    const connected = redis.connect()
    await vi.waitUntil(() => way.accepted >= 3, { timeout: 5_000 })
    way.set({ kind: 'none' })
    await connected
    await redis.close()
  })
})

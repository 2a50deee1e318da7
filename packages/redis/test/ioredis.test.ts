import { once } from 'node:events'
import type { LeaseManager } from '@vault-lease/core'
import { settlesWithin } from '@vault-lease/core/adapter'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { vaultRedis } from '../src/index.ts'
import { rotate, rotating, type Servers, startServers, untilRetired } from './servers.ts'

describe('vaultRedis() on a client of ioredis', () => {
  let servers: Servers
  beforeAll(async () => {
    servers = await startServers()
  })
  afterEach(() => servers.endAll())
  afterAll(() => servers?.stop())

  it('changes the user of open connections, which stay open', async () => {
    const redis = await servers.ioredis()
    const id = await redis.client('ID')
    const users = new Set([await redis.acl('WHOAMI')])
    for (let rotation = 0; rotation < 5; rotation++) {
      await rotate(redis.lease, 1)
      users.add(await redis.acl('WHOAMI'))
    }
    expect(users.size).toBe(6)
    expect(await redis.client('ID')).toBe(id)
    expect(await servers.sessions()).toEqual({ open: 1, users: 1 })
  })

  it.each([2, 3] as const)('tells every message once, in order, by RESP%i', async (protocol) => {
    const redis = await servers.ioredis({ protocol })
    const subscriber = redis.duplicate()
    const told: number[] = []
    subscriber.on('message', (_channel, n) => told.push(Number(n)))
    subscriber.on('pmessage', (_pattern, _channel, n) => told.push(Number(n)))
    await subscriber.subscribe('one', 'two')
    await subscriber.psubscribe('three*')
    const id = await idOf(servers, subscriber)
    const stop = rotating(redis.lease)
    const published = 5_000
    for (let n = 0; n < published; n++) await redis.publish(['one', 'two', 'three.'][n % 3] ?? '', String(n))
    expect(await stop()).toBeGreaterThanOrEqual(5)
    await vi.waitUntil(() => told.length >= published)
    expect(told).toEqual(Array.from({ length: published }, (_, n) => n))
    expect(await idOf(servers, subscriber)).toBe(id)
    await subscriber.quit()
  })

  it('lets a command that blocks return, and changes its connection then', async () => {
    const redis = await servers.ioredis()
    const worker = redis.duplicate()
    const popped = worker.blpop('queue', 0)
    await vi.waitUntil(async () => String(await servers.ask('CLIENT', 'LIST')).includes('cmd=blpop'))
    await redis.lease.rotate()
    await redis.rpush('queue', 'one')
    expect(await popped).toEqual(['queue', 'one'])
    await untilRetired(redis.lease)
    expect(await servers.sessions()).toEqual({ open: 2, users: 1 })
    await worker.quit()
  })

  it('replaces a connection that blocks when the time to drain has passed: nothing is lost, nothing comes twice', async () => {
    const lease = await servers.lease({ rotation: { drainTimeoutMs: 100 } })
    const redis = await servers.ioredis({}, lease)
    const worker = redis.duplicate()
    const popped: string[] = []
    const working = (async () => {
      while (popped.at(-1) !== 'end') popped.push((await worker.blpop('queue', 0))?.[1] ?? 'nothing')
    })()
    let forced = 0
    lease.on('retired', (retired) => {
      forced += retired.forced
    })
    const stop = rotating(lease)
    const pushed = Array.from({ length: 500 }, (_, n) => String(n))
    for (const each of pushed) {
      await redis.rpush('queue', each)
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
    await rotate(lease, 2)
    await stop()
    await redis.rpush('queue', 'end')
    await working
    expect(popped).toEqual([...pushed, 'end'])
    expect(forced).toBeGreaterThan(0)
    await worker.quit()
  })

  it('replaces a connection that blocks over two rotations before its first user is dropped', async () => {
    const lease = await servers.lease({ rotation: { drainTimeoutMs: 500 } })
    const redis = await servers.ioredis({}, lease)
    const worker = redis.duplicate()
    const popped = worker.blpop('queue', 0)
    await vi.waitUntil(async () => String(await servers.ask('CLIENT', 'LIST')).includes('cmd=blpop'))
    const before = (await servers.engine.drops()).length
    await lease.rotate()
    await lease.rotate()
    await untilRetired(lease)
    const drops = (await servers.engine.drops()).slice(before)
    expect(drops.map(({ openSessions }) => openSessions)).toEqual([0, 0])
    await redis.rpush('queue', 'one')
    expect(await popped).toEqual(['queue', 'one'])
    await worker.quit()
  })

  it('never logs in within a transaction', async () => {
    const redis = await servers.ioredis()
    await redis.set('counter', 0)
    const user = await redis.acl('WHOAMI')
    await redis.multi({ pipeline: false })
    await redis.incr('counter')
    await redis.lease.rotate()
    await redis.incr('counter')
    expect((await servers.sessions()).users).toBe(1)
    expect(await redis.exec()).toEqual([
      [null, 1],
      [null, 2],
    ])
    await untilRetired(redis.lease)
    expect(await redis.acl('WHOAMI')).not.toBe(user)
  })

  it('changes to the newest user when others have come and gone during a transaction', async () => {
    const redis = await servers.ioredis()
    const id = await redis.client('ID')
    await redis.multi({ pipeline: false })
    for (let rotation = 0; rotation < 3; rotation++) await redis.lease.rotate()
    // Those in between have nobody, and are dropped.
    await vi.waitUntil(async () => (await servers.engine.users()).length === 2, { timeout: 5_000 })
    await redis.exec()
    await untilRetired(redis.lease)
    expect(await redis.acl('WHOAMI')).toBe(redis.lease.current?.username)
    expect(await redis.client('ID')).toBe(id)
  })

  it('is closed in time when its transaction was lost', async () => {
    const lease = await servers.lease({ rotation: { drainTimeoutMs: 100 } })
    const redis = await servers.ioredis({}, lease)
    await redis.ping()
    await redis.multi({ pipeline: false })
    await lease.rotate()
    await untilRetired(lease)
    await expect(redis.get('key')).rejects.toMatchObject({ code: 'ERR_CONNECTION_RETIRED' })
    expect(await redis.quit()).toBe('OK')
  })

  it('keeps what a transaction watches', async () => {
    const redis = await servers.ioredis()
    await redis.set('watched', 1)
    await redis.watch('watched')
    await rotate(redis.lease, 2)
    await servers.ask('SET', 'watched', '2')
    expect(await redis.multi().set('watched', 3).exec()).toBeNull()
    expect(await redis.get('watched')).toBe('2')
  })

  it('keeps pipelines and transactions whole, and their answers in order', async () => {
    const redis = await servers.ioredis()
    const stop = rotating(redis.lease)
    for (let round = 0; round < 300; round++) {
      const [piped, atomic] = await Promise.all([
        redis.pipeline().set('a', round).get('a').echo('piped').exec(),
        redis.multi().set('b', round).get('b').echo('atomic').exec(),
      ])
      expect(piped?.map(([, reply]) => reply)).toEqual(['OK', String(round), 'piped'])
      expect(atomic?.map(([, reply]) => reply)).toEqual(['OK', String(round), 'atomic'])
    }
    expect(await stop()).toBeGreaterThanOrEqual(5)
  })

  it('comes back as the newest user when a connection is lost', async () => {
    const redis = await servers.ioredis()
    await redis.select(3)
    await redis.set('key', 'in 3')
    await rotate(redis.lease, 1)
    await servers.ask('CLIENT', 'KILL', 'ID', String(await redis.client('ID')))
    expect(await redis.get('key')).toBe('in 3')
    expect(await redis.acl('WHOAMI')).toBe(redis.lease.current?.username)
  })

  it('does not go back to the user of a login that a lost connection has not answered', async () => {
    const lease = await servers.lease()
    const redis = await servers.ioredis({ retryStrategy: () => 60_000 }, lease)
    const id = await redis.client('ID')
    const popped = redis.blpop('queue', 0)
    // The login waits behind it.
    await lease.rotate()
    await vi.waitUntil(() => usedGenerations(lease).includes(2))
    const other = await servers.ioredis({}, lease)
    await other.multi({ pipeline: false })
    const lost = once(redis, 'reconnecting')
    await servers.ask('CLIENT', 'KILL', 'ID', String(id))
    await lost
    await lease.rotate()
    await redis.connect()
    await servers.ask('RPUSH', 'queue', 'one')
    expect(await popped).toEqual(['queue', 'one'])
    expect(await redis.acl('WHOAMI')).toBe(lease.current?.username)
    await other.discard()
  })

  it('finds another user when its own is dropped', async () => {
    const redis = await servers.ioredis()
    const user = await redis.acl('WHOAMI')
    await servers.engine.revokePrefix(servers.role)
    expect(await redis.acl('WHOAMI')).not.toBe(user)
  })

  it('revokes its lease with the last of its duplicates', async () => {
    const redis = await servers.ioredis()
    const copy = redis.duplicate()
    const second = copy.duplicate()
    await Promise.all([redis.ping(), copy.ping(), second.ping()])
    expect(await servers.sessions()).toEqual({ open: 3, users: 1 })
    await redis.quit()
    await copy.quit()
    expect(await second.ping()).toBe('PONG')
    await second.quit()
    expect(await servers.engine.users()).toEqual([])
  })

  it('revokes its lease after disconnect(), too, and leaves a lease of others alone', async () => {
    const redis = await servers.ioredis()
    await redis.ping()
    redis.disconnect()
    await once(redis, 'end')
    await vi.waitUntil(async () => (await servers.engine.users()).length === 0, { timeout: 5_000 })
    const lease = await servers.lease()
    const other = await servers.ioredis({}, lease)
    await other.ping()
    await other.quit()
    expect(lease.status().state).toBe('ready')
    await expect(other.ping()).rejects.toThrow()
  })

  it('quits without a credential, and refuses what waits for one', async () => {
    const client = new Redis({ ...servers.address, lazyConnect: true, connectTimeout: 10 * 60_000 })
    const redis = vaultRedis(client, { credential: () => new Promise(() => {}) })
    const refused = expect(redis.ping()).rejects.toThrow('Connection is closed.')
    // Sooner than the farewell is given up.
    expect(await settlesWithin(redis.quit(), 5_000)).toBe(true)
    await refused
    expect(redis.lease.status().state).toBe('closed')
  })

  it('is closed with its duplicates by closeOnSignal() and `await using`', async () => {
    {
      await using redis = await servers.ioredis()
      const copy = redis.duplicate()
      await Promise.all([redis.ping(), copy.ping()])
    }
    expect(await servers.engine.users()).toEqual([])
    expect(await servers.sessions()).toEqual({ open: 0, users: 0 })
  })

  it('takes a client that was connected already', async () => {
    const client = new Redis({ ...servers.address, lazyConnect: true })
    client.on('error', () => {})
    const redis = vaultRedis(client, { vault: await servers.vaultOptions(), role: servers.role })
    expect(redis).toBe(client)
    expect(redis.status).toBe('wait')
    expect(await redis.acl('WHOAMI')).toBe(redis.lease.current?.username)
    await redis.quit()
  })
})

/** Of the connections of the first client on the lease. */
function usedGenerations(lease: LeaseManager): number[] {
  return lease.status().places[0]?.usage?.connections.map(({ generation }) => generation) ?? []
}

/** A subscriber of RESP2 cannot be asked. */
async function idOf(servers: Servers, subscriber: Redis): Promise<string | undefined> {
  await subscriber.ping()
  const clients = String(await servers.ask('CLIENT', 'LIST', 'TYPE', 'PUBSUB'))
  return /id=(\d+)/.exec(clients)?.[1]
}

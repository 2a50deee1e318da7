import { setTimeout as sleep } from 'node:timers/promises'
import { vaultRedis } from '@vault-lease/redis'
import { Redis } from 'ioredis'
import { batches, checkScanned, nextCounter, RedisConnections, userOf } from './redis-connections.ts'
import type { HeldOpen, MakeStatic, MakeSubject, Place, Workload } from './subject.ts'

export const leased: MakeSubject = (place, from) => {
  const redis = vaultRedis(client(place), from)
  const connections = connectionsOf(redis, place)
  return {
    ...workload(connections, place),
    inspectables: () => [redis, redis.options, redis.lease, ...connections.all],
    close: () => closeAll(redis, connections),
  }
}

export const plain: MakeStatic = (place, { user: username, password }) => {
  const redis = client(place, { username, password })
  const connections = connectionsOf(redis, place)
  return {
    ...workload(connections, place),
    inspectables: () => [redis],
    close: () => closeAll(redis, connections),
  }
}

function client(
  { server: { host, port, database }, acquireTimeoutMs }: Place,
  login: { readonly username?: string; readonly password?: string } = {},
): Redis {
  const redis = new Redis({
    ...login,
    host,
    port,
    db: Number(database),
    connectTimeout: acquireTimeoutMs,
    lazyConnect: true,
  })
  redis.on('error', () => {})
  return redis
}

function connectionsOf(redis: Redis, place: Place): RedisConnections<Redis> {
  let first: Redis | undefined = redis
  return new RedisConnections(place, () => {
    const connection = first ?? redis.duplicate()
    if (!first) connection.on('error', () => {})
    first = undefined
    return connection
  })
}

const closing = new WeakMap<Redis, Promise<void>>()

async function closeAll(redis: Redis, connections: RedisConnections<Redis>): Promise<void> {
  const close = async (): Promise<void> => {
    await connections.drained()
    const all = new Set([redis, ...connections.all])
    await Promise.all(Array.from(all, (each) => each.quit()))
  }
  const closed = closing.get(redis) ?? close()
  closing.set(redis, closed)
  await closed
}

function workload(connections: RedisConnections<Redis>, place: Place): Workload {
  return {
    query: () => connections.use((redis) => redis.get('item:1')),
    transaction: (holdMs) =>
      connections.use(async (redis) => {
        await redis.multi({ pipeline: false })
        try {
          await redis.incr(nextCounter())
          await sleep(holdMs)
        } catch (error) {
          await redis.discard().catch(() => {})
          throw error
        }
        await redis.exec()
      }),
    stream: () =>
      connections.use(async (redis) => {
        const keys: string[] = []
        for await (const part of redis.scanStream({ match: 'item:*', count: 25 })) {
          keys.push(...part)
          await sleep(5)
        }
        checkScanned(keys)
      }),
    deniedQuery: () => connections.use((redis) => redis.config('GET', 'port')),
    openTransaction: () => held(connections, place, (redis) => redis.get('item:1')),
    // SCAN holds nothing on the server: what is to be read as one is read in a transaction.
    openCursor: () => {
      let batch = 0
      return held(connections, place, (redis) => redis.mget(...(batches[batch++ % batches.length] ?? [])))
    },
    events: {
      add: (n) => connections.use((redis) => redis.publish('events', String(n))),
      async watch(onEvent) {
        const redis = await connections.take()
        redis.on('message', (_channel, n) => onEvent(Number(n)))
        await redis.subscribe('events')
        return async () => {
          await redis.unsubscribe('events')
          redis.removeAllListeners('message')
          connections.give(redis)
        }
      },
    },
  }
}

async function held(
  connections: RedisConnections<Redis>,
  place: Place,
  read: (redis: Redis) => Promise<unknown>,
): Promise<HeldOpen> {
  const redis = await connections.take()
  const id = place.users && (await redis.client('ID'))
  await redis.multi({ pipeline: false })
  return {
    async step() {
      await read(redis)
      return id === undefined ? '' : await userOf(place, id)
    },
    finish: async () => {
      await redis.exec().finally(() => connections.give(redis))
    },
  }
}

import { setTimeout as sleep } from 'node:timers/promises'
import { vaultRedis } from '@vault-lease/redis'
import { createClient, type RedisClientType } from 'redis'
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
  { server: { host, port, database }, acquireTimeoutMs: connectTimeout }: Place,
  login: { readonly username?: string; readonly password?: string } = {},
): RedisClientType {
  const redis: RedisClientType = createClient({
    ...login,
    socket: { host, port, connectTimeout },
    database: Number(database),
    // The driver's timer for each command outlives it, and would be counted as ours.
    commandOptions: { timeout: 0 },
  })
  redis.on('error', () => {})
  return redis
}

function connectionsOf(redis: RedisClientType, place: Place): RedisConnections<RedisClientType> {
  let first: RedisClientType | undefined = redis
  return new RedisConnections(place, () => {
    const connection = first ?? redis.duplicate()
    if (!first) connection.on('error', () => {})
    first = undefined
    // Commands wait until it is connected; what goes wrong is told to them.
    connection.connect().catch(() => {})
    return connection
  })
}

const closing = new WeakMap<RedisClientType, Promise<void>>()

async function closeAll(
  redis: RedisClientType,
  connections: RedisConnections<RedisClientType>,
): Promise<void> {
  const close = async (): Promise<void> => {
    await connections.drained()
    const all = new Set([redis, ...connections.all])
    await Promise.all(Array.from(all, (each) => each.close()))
  }
  const closed = closing.get(redis) ?? close()
  closing.set(redis, closed)
  await closed
}

function workload(connections: RedisConnections<RedisClientType>, place: Place): Workload {
  return {
    query: () => connections.use((redis) => redis.get('item:1')),
    transaction: (holdMs) =>
      connections.use(async (redis) => {
        await redis.sendCommand(['MULTI'])
        try {
          await redis.sendCommand(['INCR', nextCounter()])
          await sleep(holdMs)
        } catch (error) {
          await redis.sendCommand(['DISCARD']).catch(() => {})
          throw error
        }
        await redis.sendCommand(['EXEC'])
      }),
    stream: () =>
      connections.use(async (redis) => {
        const keys: string[] = []
        for await (const part of redis.scanIterator({ MATCH: 'item:*', COUNT: 25 })) {
          keys.push(...part)
          await sleep(5)
        }
        checkScanned(keys)
      }),
    deniedQuery: () => connections.use((redis) => redis.configGet('port')),
    openTransaction: () => held(connections, place, (redis) => redis.sendCommand(['GET', 'item:1'])),
    // SCAN holds nothing on the server: what is to be read as one is read in a transaction.
    openCursor: () => {
      let batch = 0
      return held(connections, place, (redis) =>
        redis.sendCommand(['MGET', ...(batches[batch++ % batches.length] ?? [])]),
      )
    },
    events: {
      add: (n) => connections.use((redis) => redis.publish('events', String(n))),
      async watch(onEvent) {
        const redis = await connections.take()
        await redis.subscribe('events', (n) => onEvent(Number(n)))
        return async () => {
          await redis.unsubscribe('events')
          connections.give(redis)
        }
      },
    },
  }
}

async function held(
  connections: RedisConnections<RedisClientType>,
  place: Place,
  read: (redis: RedisClientType) => Promise<unknown>,
): Promise<HeldOpen> {
  const redis = await connections.take()
  const id = place.users && (await redis.sendCommand(['CLIENT', 'ID']))
  await redis.sendCommand(['MULTI'])
  return {
    async step() {
      await read(redis)
      return id === undefined ? '' : await userOf(place, id)
    },
    finish: async () => {
      await redis.sendCommand(['EXEC']).finally(() => connections.give(redis))
    },
  }
}

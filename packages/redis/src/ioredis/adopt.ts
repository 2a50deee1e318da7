import type { Credential } from '@vault-lease/core'
import { unlessAborted } from '@vault-lease/core/adapter'
import type { Driver, LeasedConnections, Logins } from '../leased-connections.ts'
import { checkNoLogin } from '../options.ts'
import { calledBack } from './called-back.ts'
import { IoredisConnection } from './connection.ts'
import type { IoredisClient } from './driver.ts'

/** Where a client connects, and how it logs in once. */
export function driverOf(redis: IoredisClient): Driver {
  checkNoLogin(redis.options)
  const { duplicate } = redis
  return {
    place: placeOf(redis),
    tryOn: (credential, signal) => {
      const options = { lazyConnect: true, monitor: false, retryStrategy: null }
      return logInOnce(duplicate.call(redis, options), credential, signal)
    },
  }
}

/** Keeps a client, and every duplicate of it, on the lease. */
export function adopt(redis: IoredisClient, connections: LeasedConnections): void {
  const connection = new IoredisConnection(redis, connections.attachment)
  connections.add(connection)
  const client = { close: () => redis.quit().catch(() => redis.disconnect()) }
  connections.opened(client)
  let end = (): void => {}
  const ended = new Promise<void>((resolve) => {
    end = () => {
      connections.remove(connection)
      // Whoever closes it by quit() is told what comes of it.
      resolve(connections.closed(client).catch(() => {}))
    }
  })
  redis.once('end', end)
  const { disconnect, duplicate, quit } = redis
  redis.disconnect = (reconnect) => {
    disconnect.call(redis, reconnect)
    // Between two connections it does not tell that it has ended.
    if (!reconnect && redis.status === 'reconnecting') end()
  }
  redis.duplicate = (override) => {
    const copy = duplicate.call(redis, override)
    if (!copy.options.username && !copy.options.password) adopt(copy, connections)
    return copy
  }
  const leave = async (): Promise<'OK'> => {
    await connections.farewell(quit.call(redis), () => {
      if (redis.status !== 'end') redis.disconnect()
    })
    await ended
    return 'OK'
  }
  redis.quit = (callback) => {
    if (redis.status === 'end') return quit.call(redis, callback)
    return calledBack(leave(), callback)
  }
}

/** @throws what the server or the way to it says, or the reason of the signal. */
async function logInOnce(
  redis: IoredisClient,
  credential: Credential,
  signal: AbortSignal,
): Promise<{ readonly gone: Promise<void> }> {
  const gone = new Promise<void>((resolve) => redis.once('end', () => resolve()))
  const accepted = new Promise<void>((resolve, reject) => {
    let failure: unknown
    const logins: Logins = {
      current: credential,
      credential: async () => credential,
      async refused(_credential, error) {
        reject(error)
        return false
      },
      accepted: () => resolve(),
      loggedIn() {},
    }
    new IoredisConnection(redis, logins)
    redis.on('error', (error) => {
      failure ??= error
    })
    redis.connect().catch((error: unknown) => reject(failure ?? error))
  })
  try {
    await unlessAborted(accepted, signal)
    return { gone }
  } finally {
    redis.disconnect()
  }
}

function placeOf({ options: { host, port, path, db, sentinels, name, tls } }: IoredisClient): string {
  if (sentinels?.length) {
    const hosts = sentinels.map((each) => `${each.host ?? 'localhost'}:${each.port ?? 26_379}`)
    return `redis+sentinel://${hosts.join(',')}/${name ?? ''}`
  }
  if (path) return `redis:${path}`
  return `${tls ? 'rediss' : 'redis'}://${host ?? 'localhost'}:${port ?? 6379}/${db ?? 0}`
}

import { InvalidOptionError } from '@vault-lease/core'
import type { Driver, LeasedConnections } from '../leased-connections.ts'
import { checkNoLogin } from '../options.ts'
import { NodeRedisConnection } from './connection.ts'
import { credentialsProvider } from './credentials-provider.ts'
import type { NodeRedisClient } from './driver.ts'
import { destroyed, logInOnce } from './log-in-once.ts'
import { leasedPool } from './pool.ts'

/** Where a client connects, and how it logs in once. */
export function driverOf({ _self: client }: NodeRedisClient): Driver {
  if (!client.options)
    throw new InvalidOptionError('Give createClient() options: this version of node-redis needs them.')
  const { credentialsProvider: own } = client.options
  checkNoLogin(own && own !== credentialsProvider ? { username: 'its own' } : client.options)
  const { duplicate } = client
  return {
    place: placeOf(client.options),
    tryOn: (credential, signal) => {
      const socket = { ...client.options.socket, reconnectStrategy: false }
      const once = { socket, url: undefined, clientSideCache: undefined, pingInterval: 0 }
      return logInOnce(duplicate.call(client, once), credential, signal)
    },
  }
}

/** Keeps a client, and every duplicate of it, on the lease. */
export function adopt({ _self: client }: NodeRedisClient, connections: LeasedConnections): void {
  const connection = new NodeRedisConnection(client, connections.attachment)
  connections.add(connection)
  const leased = { close: () => (client.isOpen ? client.close() : end()) }
  connections.opened(leased)
  let ended: Promise<void> | undefined
  const end = (): Promise<void> => {
    connections.remove(connection)
    // Whoever closes it is told what comes of it.
    ended ??= connection.gone.then(() => connections.closed(leased)).catch(() => {})
    return ended
  }
  client.on('end', end)
  const { close, createPool, destroy, duplicate, quit } = client
  const leave = async <Reply>(by: () => Promise<Reply>): Promise<Reply | undefined> => {
    if (ended) {
      await ended
      return undefined
    }
    if (!client.isOpen) {
      await end()
      return undefined
    }
    let reply: Reply | undefined
    const farewell = by().then((answer) => {
      reply = answer
    })
    await connections.farewell(farewell, () => destroyed(() => destroy.call(client)))
    await end()
    return reply
  }
  client.close = async () => {
    await leave(() => close.call(client))
  }
  client.quit = () => leave(() => quit.call(client))
  client.QUIT = client.quit
  client.destroy = () => {
    if (client.isOpen || !ended) destroy.call(client)
    void end()
  }
  client.disconnect = async () => {
    client.destroy()
    await ended
  }
  client.duplicate = function leasedToo(this: NodeRedisClient, overrides) {
    const { username, password } = { username: undefined, password: undefined, ...overrides }
    const ours = username || password ? { credentialsProvider: undefined, ...overrides } : overrides
    const copy = duplicate.call(this, ours)
    if (copy.options.credentialsProvider === credentialsProvider) adopt(copy, connections)
    return copy
  }
  client.createPool = function leasedToo(this: NodeRedisClient, options) {
    const keep = (member: NodeRedisClient): void => adopt(member, connections)
    return leasedPool(client, { like: createPool.call(this), options, keep, connections })
  }
}

function placeOf({ socket, database }: NodeRedisClient['options']): string {
  const { host, path, port, tls } = socket ?? {}
  if (path) return `redis:${path}`
  return `${tls ? 'rediss' : 'redis'}://${host ?? 'localhost'}:${port ?? 6379}/${database ?? 0}`
}

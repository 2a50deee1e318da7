import type { LeasedConnections } from '../leased-connections.ts'
import { defaultConnectTimeoutMs } from './connection.ts'
import { kindOf, listening, providerOf, whose } from './credentials-provider.ts'
import type { NodeRedisClient, NodeRedisPool, StreamingCredentials } from './driver.ts'

/** A pool with the options of a client on a lease. Its members, as they come, are on that lease, too. */
export function leasedPool(
  client: NodeRedisClient,
  {
    like,
    options,
    keep,
    connections,
  }: {
    /** Of the same class, which is never opened. */
    readonly like: NodeRedisPool
    readonly options: object | undefined
    readonly keep: (member: NodeRedisClient) => void
    readonly connections: LeasedConnections
  },
): NodeRedisPool {
  const kind = kindOf(client)
  const credentialsProvider: StreamingCredentials = providerOf(async (listener) => {
    const member = whose(listener) ? undefined : listening(listener, kind)
    if (member) {
      keep(member)
      // They share their options: the next one is to ask here, too.
      member.options.credentialsProvider = credentialsProvider
    }
    const wait = { timeoutMs: defaultConnectTimeoutMs }
    return await (whose(listener)?.logIn() ?? connections.attachment.credential(wait))
  })
  const pool = like.constructor.create({ ...client.options, credentialsProvider }, options)
  closeWithLease(pool._self, connections)
  return pool
}

function closeWithLease(pool: NodeRedisPool, connections: LeasedConnections): void {
  // Commands tell what goes wrong: no process needs to end.
  pool.on('error', () => {})
  const { close, destroy } = pool
  let ended: Promise<void> | undefined
  const end = (): Promise<void> => {
    ended ??= connections.closed(leased).catch(() => {})
    return ended
  }
  pool.close = async () => {
    if (!ended) await connections.farewell(close.call(pool), () => {})
    await end()
  }
  pool.destroy = () => {
    destroy.call(pool)
    void end()
  }
  const leased = { close: pool.close }
  connections.opened(leased)
}

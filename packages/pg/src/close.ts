import { settlesWithin } from '@vault-lease/core/adapter'
import type { PgClient, WireConnection } from './driver.ts'

/** A query, cursor or stream that takes care of its own answers. */
interface Submittable {
  handleError(error: Error, connection: WireConnection): void
}

/** A server that has not closed the connection in this time is left. */
const farewellMs = 2_000

/** The longest that the answers are waited for which nobody holds a connection for any more. */
const answersWithinMs = 30_000

/**
 * Closes a connection once the queries that were given to it are answered; one that is not answered in 30 s is cancelled.
 * Resolves when the server has closed it too.
 */
export async function closeWhenIdle(client: PgClient): Promise<void> {
  // A holder that releases inside a query's callback is heard before the driver takes up the next queued query.
  await Promise.resolve()
  if (client.connection.stream.destroyed) return
  if (client.readyForQuery === false) {
    // The driver itself destroys what it ends in the midst of a query, and the server would not notice.
    if (!(await answeredWithin(client, answersWithinMs))) cancelStatement(client)
  }
  await inBoundedTime(client.connection, client.end())
}

/** Whether the queries that a connection runs are answered in time, or it has ended. */
export async function answeredWithin(client: PgClient, ms: number): Promise<boolean> {
  return await settlesWithin(emitted(client, 'drain', 'end'), ms)
}

/**
 * Closes a connection under whoever uses it: its queries fail with the reason, those that run and those to come, the
 * statement that runs on the server is cancelled, and the session ends. Resolves when the server has closed it.
 */
export async function closeUnderHolder(client: PgClient, reason: () => Error): Promise<void> {
  const ended = emitted(client, 'end')
  client.query = refusing(client, reason)
  // A holder that hears of it and lets go would have the driver destroy the socket, before the server has ended the session.
  client.end = endedWith(ended)
  client.connection.emit('error', reason())
  cancelStatement(client)
  client.connection.end()
  await inBoundedTime(client.connection, ended)
}

/**
 * Asks the server to cancel what the connection is running. The request travels on a connection of its own that never
 * becomes a session (PostgreSQL protocol, "Canceling Requests in Progress"), so it needs no user and no room in a pool. A server
 * that does not answer is left after two seconds.
 */
export function cancelStatement(client: PgClient): void {
  const { processID, secretKey } = client
  if (processID === null || secretKey === null) return
  const Wire = client.connection.constructor as new (config: {
    ssl: unknown
    sslNegotiation: unknown
  }) => WireConnection
  const { ssl, sslNegotiation } = client
  const wire = new Wire({ ssl, sslNegotiation })
  const cancel = (): void => {
    wire.cancel(processID, secretKey)
    wire.end()
  }
  wire.on('error', () => wire.stream.destroy())
  wire.on('connect', () => {
    if (!ssl) cancel()
    else if (sslNegotiation !== 'direct') wire.requestSsl()
  })
  wire.on('sslconnect', cancel)
  const { host, port } = client
  // A host that is a path is the folder of a Unix socket.
  if (host.startsWith('/')) wire.connect(`${host}/.s.PGSQL.${port}`)
  else wire.connect(port, host)
  void inBoundedTime(wire, new Promise((resolve) => wire.once('end', resolve)))
}

/** A connection that is asked to end is left when the server does not close it in time: until then it counts as open. */
export function leaveInTime(client: PgClient): void {
  if (!client.connection.stream.destroyed) void inBoundedTime(client.connection, emitted(client, 'end'))
}

/** What `query` of a client does, in each of the forms that it can be called in, when nothing can be queried any more. */
function refusing(client: PgClient, reason: () => Error): PgClient['query'] {
  const query = (config: unknown, ...rest: unknown[]): unknown => {
    if (isSubmittable(config)) {
      process.nextTick(() => config.handleError(reason(), client.connection))
      return config
    }
    const callback = rest.find((argument) => typeof argument === 'function')
    if (!callback) return Promise.reject(reason())
    process.nextTick(callback as (error: Error) => void, reason())
    return undefined
  }
  return query as PgClient['query']
}

/** What `end` of a client does, with a callback or without, when it is ended already. */
function endedWith(ended: Promise<void>): PgClient['end'] {
  const end = (callback?: () => void): Promise<void> | undefined => {
    if (!callback) return ended
    void ended.then(callback)
    return undefined
  }
  return end as PgClient['end']
}

function isSubmittable(config: unknown): config is Submittable {
  return typeof config === 'object' && config !== null && 'submit' in config
}

/** Waits for the end of a connection that was asked to end, in bounded time, whatever the server still sends. */
async function inBoundedTime(connection: WireConnection, ended: Promise<void>): Promise<void> {
  if (!(await settlesWithin(ended, farewellMs))) connection.stream.destroy()
  await ended
}

/** Like `once` of node:events, but an 'error' in between, which a closing connection may well emit, is not the end. */
function emitted(client: PgClient, ...events: readonly ('drain' | 'end')[]): Promise<void> {
  return new Promise((resolve) => {
    const heard = (): void => {
      for (const event of events) client.off(event, heard)
      resolve()
    }
    for (const event of events) client.on(event, heard)
  })
}

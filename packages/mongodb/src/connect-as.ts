import { once } from 'node:events'
import type { Credential } from '@vault-lease/core'
import type { MongoClient, MongoClientOptions, ServerHeartbeatFailedEvent } from 'mongodb'
import { type ConnectedClient, type MongoDriver, topologyOf } from './driver.ts'
import { logInBy } from './login.ts'
import type { Emit } from './server-events.ts'

/** How a client of the driver is made, but for the login. */
export interface Address {
  readonly uri: string
  readonly options: MongoClientOptions
}

/**
 * A client whose connections belong to the user of the login, once the server has said so. Each new connection asks for
 * the login. The relay takes its events in the place of its listeners.
 *
 * @throws the driver's own error; once the signal is aborted, why no server was reached, else its reason.
 */
export async function connectAs(
  driver: MongoDriver,
  { uri, options }: Address,
  login: () => Credential,
  relay: Emit,
  signal: AbortSignal,
): Promise<ConnectedClient> {
  signal.throwIfAborted()
  const { username, password } = login()
  const client = new driver.MongoClient(uri, { ...options, auth: { username, password } })
  logInBy(client, login)
  let unreachable: Error | undefined
  client.emit = (event, ...values) => {
    if (event === 'serverHeartbeatFailed') unreachable = (values[0] as ServerHeartbeatFailedEvent).failure
    return relay(event, ...values)
  }
  const done = new AbortController()
  const close = (): Promise<void> => client.close().catch(() => {})
  const connecting = connectedAs(username, client)
  try {
    // The driver does not give up a connection on which it is just logging in: it closes that later.
    const aborted = once(signal, 'abort', { signal: done.signal }).then(() => signal.throwIfAborted())
    await Promise.race([connecting, aborted])
    return client as ConnectedClient
  } catch (error) {
    // Now, and when there is something to close that is not there yet.
    void close()
    void connecting.then(close, close)
    // What a client says that is closed tells less.
    if (signal.aborted) throw unreachable ?? signal.reason
    throw error
  } finally {
    done.abort()
  }
}

async function connectedAs(username: string, client: MongoClient): Promise<void> {
  await client.connect()
  topologyOf(client)
  const { authInfo } = await client.db('admin').command({ connectionStatus: 1 })
  const users: { user: string }[] = authInfo.authenticatedUsers
  if (users.some(({ user }) => user === username)) return
  throw new Error(`the server takes the user for ${users.map(({ user }) => user).join(', ') || 'nobody'}`)
}

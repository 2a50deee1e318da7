import type { Credential } from '@vault-lease/core'
import type { MongoClientOptions, ServerHeartbeatFailedEvent } from 'mongodb'
import { type ConnectedClient, type MongoDriver, topologyOf } from './driver.ts'

/** How a client of the driver is made, but for the login. */
export interface Address {
  readonly uri: string
  readonly options: MongoClientOptions
}

/** Takes the events of a client in the place of its listeners. */
export type Relay = (event: string | symbol, ...values: unknown[]) => boolean

/**
 * A client whose connections belong to the user of the credential, once the server has said so.
 *
 * @throws the driver's own error; once the signal is aborted, why no server was reached, else its reason.
 */
export async function connectAs(
  { MongoClient }: MongoDriver,
  { uri, options }: Address,
  { username, password }: Credential,
  relay: Relay,
  signal: AbortSignal,
): Promise<ConnectedClient> {
  const client = new MongoClient(uri, { ...options, auth: { username, password } })
  let unreachable: Error | undefined
  client.emit = (event, ...values) => {
    if (event === 'serverHeartbeatFailed') unreachable = (values[0] as ServerHeartbeatFailedEvent).failure
    return relay(event, ...values)
  }
  const close = (): void => void client.close().catch(() => {})
  signal.addEventListener('abort', close, { once: true })
  try {
    await client.connect()
    topologyOf(client)
    const { authInfo } = await client.db('admin').command({ connectionStatus: 1 })
    const users: { user: string }[] = authInfo.authenticatedUsers
    if (!users.some(({ user }) => user === username)) {
      throw new Error(`the server takes the user for ${users.map(({ user }) => user).join(', ') || 'nobody'}`)
    }
    signal.throwIfAborted()
    return client as ConnectedClient
  } catch (error) {
    close()
    // What a client says that is closed tells less.
    if (signal.aborted) throw unreachable ?? signal.reason
    throw error
  } finally {
    signal.removeEventListener('abort', close)
  }
}

import { leadToLease } from '@vault-lease/core/adapter'
import type { Connection, Mongoose } from 'mongoose'
import { reconnectChildren } from './children.ts'
import { type Client, newClient } from './client.ts'
import { divide, type VaultConnectOptions } from './options.ts'
import { settingsFor } from './settings.ts'
import { connectionOf } from './target.ts'

const commandEvents = ['commandStarted', 'commandFailed', 'commandSucceeded'] as const

/**
 * Connects Mongoose's default connection, or one that `createConnection()` made, as a database user that Vault creates and
 * replaces. In all else it is `mongoose.connect()`.
 *
 * `close()`, `destroy()` and `mongoose.disconnect()` let operations, cursors and transactions that are under way finish,
 * revoke the lease, and give back the token if the library logged in for it.
 *
 * @example
 * await vaultConnect(mongoose, 'mongodb://db.internal/app', { role: 'readonly' })
 * const reports = await vaultConnect(mongoose.createConnection(), 'mongodb://db.internal/reports', { role: 'reports' })
 *
 * @throws InvalidOptionError for a misspelt option, a missing role, a user or password beside them, or a connection that
 * is connected.
 */
export async function vaultConnect<Target extends Mongoose | Connection>(
  target: Target,
  uri: string,
  options: VaultConnectOptions = {},
): Promise<Target> {
  const connection = connectionOf(target)
  const { settings, ofClient } = divide(options, connection.base)
  const client = newClient(connection.base, uri, ofClient)
  // Every connection of Mongoose to another database listens to it.
  client.setMaxListeners(0)
  for (const handle of [target, connection]) leadToLease(handle, () => client.lease)
  try {
    Object.assign(connection.config, settingsFor(client.readPreference.mode, settings))
    await open(connection, client)
  } catch (error) {
    await client.close().catch(() => {})
    throw error
  }
  return target
}

/** With the states and events that `mongoose.connect()` has. */
async function open(connection: Connection, client: Client): Promise<void> {
  const { connecting, disconnected } = connection.base.STATES
  Object.assign(connection, { readyState: connecting })
  try {
    await client.connect()
  } catch (error) {
    Object.assign(connection, { readyState: disconnected })
    setImmediate(() => connection.listenerCount('error') > 0 && connection.emit('error', error))
    throw error
  }
  // setClient() wants it to be disconnected, which nobody is to be told.
  Object.assign(connection, { _readyState: disconnected })
  connection.setClient(client)
  reconnectChildren(connection)
  if (!client.options.monitorCommands) return
  for (const event of commandEvents) client.on(event, (told: object) => connection.emit(event, told))
}

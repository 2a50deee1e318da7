import { InvalidOptionError } from '@vault-lease/core'
import type { Connection, Mongoose } from 'mongoose'

/**
 * The connection that is meant: of Mongoose, its default one.
 *
 * @throws InvalidOptionError when it cannot be connected.
 */
export function connectionOf(target: Mongoose | Connection): Connection {
  const connection = 'setClient' in Object(target) ? (target as Connection) : defaultOf(target as Mongoose)
  const { base, readyState, models } = connection
  if (!base.connections.includes(connection)) {
    throw new InvalidOptionError(
      'This connection was destroyed, or useDb() made it. Give one that mongoose.createConnection() made.',
    )
  }
  if (readyState !== base.STATES.disconnected || hasOpenClient(connection)) {
    throw new InvalidOptionError(
      'This connection is connected, or about to be, or it is being closed: await its close() first. ' +
        'One that vaultConnect() connects is made by createConnection() without an address.',
    )
  }
  const encrypted = Object.values(models).find(({ schema }) => schema.get('encryptionType'))
  if (encrypted) {
    throw new InvalidOptionError(
      `vaultConnect() cannot encrypt: the schema of ${encrypted.modelName} has an "encryptionType".`,
    )
  }
  return connection
}

function defaultOf(mongoose: Mongoose): Connection {
  if (!Array.isArray(mongoose?.connections)) {
    throw new InvalidOptionError(
      'Connect what? Give mongoose first, or a connection that mongoose.createConnection() made.',
    )
  }
  // Mongoose makes it anew when it was destroyed.
  if (mongoose.connections.length === 0) mongoose.set('createInitialConnection', true)
  const [connection] = mongoose.connections
  if (connection) return connection
  throw new InvalidOptionError('This mongoose has no default connection.')
}

/** While its server is away, a connection says that it is disconnected. */
function hasOpenClient(connection: Connection): boolean {
  const client: object | undefined = connection.getClient()
  return client !== undefined && 'topology' in client && client.topology !== undefined
}

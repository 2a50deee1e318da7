import { type AdapterOptions, InvalidOptionError } from '@vault-lease/core'
import { leadToLease, takeLease } from '@vault-lease/core/adapter'
import { mysqlOptionNames } from '@vault-lease/mysql2/adapter'
import { pgOptionNames } from '@vault-lease/pg/adapter'
import type { KnexDialect } from './dialect.ts'
import { isKnexClient, type KnexClient } from './knex-client.ts'
import { KnexRotation } from './rotation.ts'

/** What knex takes as `connection`. */
type Connection = () => Promise<object>

/**
 * The `connection` of a knex with one of these drivers, each by the name that its knex client has for it.
 *
 * @throws InvalidOptionError as `vaultConnection()`.
 */
export function leasedConnection<Options extends AdapterOptions>(
  options: Options,
  dialects: Readonly<Record<string, KnexDialect>>,
): Connection {
  const taken = takeLease<Options>(options, [...pgOptionNames, ...mysqlOptionNames])
  if ('expirationChecker' in options) {
    throw new InvalidOptionError('Leave out "expirationChecker": the lease knows when its user is over.')
  }
  const rotations = new WeakMap<KnexClient, KnexRotation>()
  // knex calls this as a method of its client, before it opens the first connection.
  async function connection(this: unknown): Promise<object> {
    const dialect = isKnexClient(this) ? dialects[this.driverName] : undefined
    if (!isKnexClient(this) || !dialect) throw unsupportedClient(this)
    dialect.check(taken.driver)
    const rotation = rotations.get(this) ?? new KnexRotation(this, dialect, taken)
    rotations.set(this, rotation)
    return rotation.connectionSettings
  }
  leadToLease(connection, (client) => rotations.get(client as KnexClient)?.lease)
  return connection
}

function unsupportedClient(client: unknown): InvalidOptionError {
  const driver =
    typeof client === 'object' && client !== null && 'driverName' in client ? client.driverName : undefined
  const found =
    driver === undefined ? 'It was not called as a method of a knex client' : `This knex uses "${driver}"`
  return new InvalidOptionError(
    'vaultConnection() works as the "connection" of a knex 3 with client "pg" or "mysql2". ' +
      `${found}, or its version is not supported.`,
  )
}

import { type AdapterOptions, InvalidOptionError } from '@vault-lease/core'
import { checkSetRole, type SetRoleOptions } from '@vault-lease/pg/adapter'
import type { Options, ReplicationOptions } from 'sequelize'
import type { ServerConfig } from './connection-manager.ts'
import { type DialectName, dialectNamed, type SequelizeDialect } from './dialects.ts'

type FromVault = 'username' | 'password'

/** The servers of a replicated database, which all know the same users. */
interface ReplicationWithoutUser {
  readonly read: Omit<ReplicationOptions['read'][number], FromVault>[]
  readonly write: Omit<ReplicationOptions['write'], FromVault>
}

/** Where the lease comes from, and every option of a Sequelize but the user and the password. */
export type VaultSequelizeOptions = AdapterOptions &
  SetRoleOptions &
  Omit<Options, FromVault | 'dialect' | 'replication' | 'native'> & {
    /** The database. Not needed where the Sequelize is given a URL. */
    readonly dialect?: DialectName
    /** The writer and its replicas, which all know the same users. Each of them goes over to a new user by itself. */
    readonly replication?: ReplicationWithoutUser | false
  }

const loginNames = ['user', 'username', 'password', 'password1', 'passwordSha1', 'connectionString', 'uri']

/**
 * Checks what `takeLease()` cannot know.
 *
 * @throws InvalidOptionError for another database, pg-native, and a user or a password of one server.
 */
export function checkOptions(options: Omit<VaultSequelizeOptions, keyof AdapterOptions>): void {
  const { dialect, replication, dialectOptions } = options
  if (dialect !== undefined) checkDialect(dialect, options)
  checkSetRole(options)
  if ('native' in options && options.native)
    throw new InvalidOptionError('Leave out "native": pg-native cannot be rotated.')
  const servers = replication ? [replication.write, ...[replication.read].flat()] : []
  for (const each of [dialectOptions, ...servers]) checkNoLogin(each)
}

/**
 * Checks the database when it is known: Sequelize may have been given a URL.
 *
 * @throws InvalidOptionError when it is not one that can be rotated, or has no roles to set.
 */
export function checkDialect(name: string, { setRole }: SetRoleOptions): SequelizeDialect {
  const dialect = dialectNamed(name)
  if (setRole === undefined || name === 'postgres') return dialect
  throw new InvalidOptionError(`The option "setRole" is for "postgres", not "${name}".`)
}

/**
 * Checks one server when everything is known of it.
 *
 * @throws InvalidOptionError
 */
export function checkServer(config: ServerConfig, dialect: SequelizeDialect): void {
  checkNoLogin(config)
  checkNoLogin(config.dialectOptions)
  dialect.check(config)
}

/** An empty one, as in a URL without a password, says nothing. */
function checkNoLogin(options: object | undefined): void {
  const given = Object.entries(options ?? {}).find(([name, value]) => value && loginNames.includes(name))
  if (!given) return
  throw new InvalidOptionError(
    `Leave out "${given[0]}", also in a URL, "replication" and "dialectOptions": the database user and its password come from Vault.`,
  )
}

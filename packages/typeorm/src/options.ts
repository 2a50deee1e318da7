import { type AdapterOptions, InvalidOptionError } from '@vault-lease/core'
import { checkConnectionOptions } from '@vault-lease/pg/adapter'
import type { DataSourceOptions } from 'typeorm'

/** TypeORM's own options for PostgreSQL. */
export type PostgresOptions = Extract<DataSourceOptions, { readonly type: 'postgres' }>

type Replication = NonNullable<PostgresOptions['replication']>
type FromVault = 'username' | 'password'

/** Where the lease comes from, and every option of a PostgreSQL DataSource but the user and the password. */
export interface VaultPostgresOptions
  extends AdapterOptions,
    Omit<PostgresOptions, FromVault | 'replication'> {
  /** The servers of a replicated database, which all know the same users. */
  readonly replication?: Omit<Replication, 'master' | 'slaves'> & {
    readonly master: Omit<Replication['master'], FromVault>
    readonly slaves: Omit<Replication['slaves'][number], FromVault>[]
  }
}

/** The options of `vaultDataSource()`, by their `type`. */
export type VaultDataSourceOptions = VaultPostgresOptions

type Endpoint = Pick<PostgresOptions, 'url' | 'database'>

/**
 * Checks what `takeLease()` cannot know.
 *
 * @throws InvalidOptionError when the type of database is not supported, or an endpoint names a user or no database.
 */
export function checkDataSourceOptions({ type, replication, ...endpoint }: VaultDataSourceOptions): void {
  if (type !== 'postgres') {
    throw new InvalidOptionError(`"type" has to be "postgres", and not "${type}".`)
  }
  const endpoints = replication ? [replication.master, ...replication.slaves] : [endpoint]
  endpoints.forEach(checkEndpoint)
}

function checkEndpoint(endpoint: Endpoint): void {
  const { url, database } = endpoint
  if ('username' in endpoint || 'password' in endpoint || (url !== undefined && namesUser(url))) {
    throw new InvalidOptionError(
      'Leave the user and the password out of "url" and "replication": they come from Vault.',
    )
  }
  checkConnectionOptions({ database, connectionString: url })
}

function namesUser(url: string): boolean {
  if (!URL.canParse(url)) return false
  const { username, password, searchParams } = new URL(url)
  return `${username}${password}` !== '' || searchParams.has('user') || searchParams.has('password')
}

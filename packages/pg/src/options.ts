import { InvalidOptionError } from '@vault-lease/core'
import { checkPlace, checkPoolSize, namesLogin, type Place } from '@vault-lease/core/adapter'

/** The options of pg.Pool and pg.Client (8.23), so that a misspelt one of ours is told from one of theirs. */
export const pgOptionNames: readonly string[] = [
  'database',
  'port',
  'host',
  'connectionString',
  'keepAlive',
  'stream',
  'statement_timeout',
  'ssl',
  'enableChannelBinding',
  'sslnegotiation',
  'query_timeout',
  'lock_timeout',
  'keepAliveInitialDelayMillis',
  'idle_in_transaction_session_timeout',
  'application_name',
  'fallback_application_name',
  'connectionTimeoutMillis',
  'types',
  'options',
  'client_encoding',
  'pipeline',
  'binary',
  'replication',
  'scramMaxIterations',
  'max',
  'min',
  'idleTimeoutMillis',
  'log',
  'Promise',
  'allowExitOnIdle',
  'maxUses',
  'maxLifetimeSeconds',
  'Client',
  'onConnect',
  'verify',
  // Ours.
  'setRole',
]

interface ConnectionOptions extends Place {
  readonly max?: number | undefined
  readonly database?: string | undefined
  readonly connectionString?: string | undefined
  readonly replication?: string | undefined
}

/**
 * Checks what `takeLease()` cannot know.
 *
 * @throws InvalidOptionError when no database is named, connections are for replication, the place or the size of the pool is none, or a user or password stands in the connection string.
 */
export function checkConnectionOptions(options: ConnectionOptions): void {
  const { host, port = process.env['PGPORT'], database, max, connectionString, replication } = options
  checkPlace({ host, port, database })
  checkPoolSize('max', max, 0)
  if (replication !== undefined) {
    throw new InvalidOptionError(
      'Leave out "replication": such a connection does not say which user it has. Open it yourself, as the user of lease.credential().',
    )
  }
  const url = parsed(connectionString)
  if (url && namesLogin(url)) {
    throw new InvalidOptionError(
      'Leave the user and the password out of "connectionString": they come from Vault.',
    )
  }
  // node-postgres takes the user's name for the database when none is given, which with a user from Vault exists nowhere.
  if (database ?? process.env['PGDATABASE'] ?? databaseIn(connectionString, url)) return
  throw new InvalidOptionError(
    'Which database? Set the option "database", or the environment variable PGDATABASE.',
  )
}

/** Where connections go, for people: no user, no password, no parameter of a URL. */
export function placeOf({ host, port, database, connectionString }: ConnectionOptions): string {
  const url = parsed(connectionString)
  const { PGHOST, PGPORT, PGDATABASE } = process.env
  const where = host ?? (url?.hostname || undefined) ?? PGHOST ?? 'localhost'
  const at = port ?? (url?.port || undefined) ?? PGPORT ?? 5432
  const name = database ?? (url?.pathname.slice(1) || undefined) ?? PGDATABASE ?? ''
  return `postgresql://${String(where)}:${String(at)}/${name}`
}

/** A connection string that is no URL names its database in a form that only the driver understands. */
function databaseIn(connectionString: string | undefined, url: URL | undefined): string | undefined {
  return url ? url.pathname.slice(1) : connectionString
}

function parsed(connectionString: string | undefined): URL | undefined {
  if (connectionString === undefined || !URL.canParse(connectionString)) return undefined
  return new URL(connectionString)
}

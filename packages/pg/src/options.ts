import { InvalidOptionError } from '@vault-lease/core'

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
]

/** node-postgres takes the user's name for the database when none is given, which with a user from Vault exists nowhere. */
export function checkDatabase(options: {
  database?: string | undefined
  connectionString?: string | undefined
}): void {
  const named = options.database ?? process.env['PGDATABASE'] ?? databaseIn(options.connectionString)
  if (named) return
  throw new InvalidOptionError(
    'Which database? Set the option "database", or the environment variable PGDATABASE.',
  )
}

function databaseIn(connectionString: string | undefined): string | undefined {
  if (!connectionString) return undefined
  try {
    return new URL(connectionString).pathname.slice(1) || undefined
  } catch {
    // A socket path or another form that only the driver understands: it names its database itself.
    return connectionString
  }
}

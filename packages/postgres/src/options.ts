import { InvalidOptionError } from '@vault-lease/core'
import { checkPoolSize, namesLogin } from '@vault-lease/core/adapter'
import type { ParsedOptions } from './driver.ts'

/** The options of postgres.js (3.4), so that a misspelt one of ours is told from one of theirs. */
export const driverOptionNames: readonly string[] = [
  'host',
  'hostname',
  'port',
  'path',
  'database',
  'db',
  'ssl',
  'sslnegotiation',
  'max',
  'idle_timeout',
  'timeout',
  'connect_timeout',
  'max_lifetime',
  'max_pipeline',
  'backoff',
  'keep_alive',
  'prepare',
  'no_prepare',
  'debug',
  'fetch_types',
  'publications',
  'target_session_attrs',
  'connection',
  'types',
  'onnotice',
  'onnotify',
  'onclose',
  'onparameter',
  'socket',
  'transform',
]

/** What is true of a session, as SQL, at a host that `target_session_attrs` asks for. The driver asks for the same, or less. */
export const wantedHosts: Readonly<Record<string, string>> = {
  primary: 'not pg_is_in_recovery()',
  standby: 'pg_is_in_recovery()',
  'prefer-standby': 'pg_is_in_recovery()',
  'read-write': `current_setting('transaction_read_only') = 'off'`,
  'read-only': `current_setting('default_transaction_read_only') = 'on'`,
}

interface Given {
  readonly database?: unknown
  readonly db?: unknown
  readonly max?: unknown
  readonly pass?: unknown
  readonly connection?: Readonly<Record<string, unknown>> | undefined
}

/**
 * Checks what `takeLease()` cannot know.
 *
 * @throws InvalidOptionError when no database is named, the pool has no place, or a user or a password is given.
 */
export function checkDriverOptions(url: string | undefined, options: Given): void {
  checkPoolSize('max', options.max, 1)
  if (options.pass !== undefined)
    throw new InvalidOptionError('Leave out "pass": the database user and its password come from Vault.')
  // The driver takes several hosts in one URL, which then is none.
  const [first = ''] = url?.split(',', 1) ?? []
  const parsed = URL.canParse(first) ? new URL(first) : undefined
  if (options.connection?.['user'] !== undefined || (parsed && namesLogin(parsed)))
    throw new InvalidOptionError('Leave the user and the password out of the URL: they come from Vault.')
  // The driver takes the user's name for the database when none is given, which with a user from Vault exists nowhere.
  const path = url === undefined ? undefined : /^[^:]+:\/\/[^/]*\/([^?]+)/.exec(url)?.[1]
  if (options.database ?? options.db ?? path ?? process.env['PGDATABASE']) return
  throw new InvalidOptionError(
    'Which database? Set the option "database", name it in the URL, or set the environment variable PGDATABASE.',
  )
}

/** Where connections go, for people: no user, no password, no parameter of a URL. */
export function placeOf({
  host,
  port,
  path,
  database,
}: Pick<ParsedOptions, 'host' | 'port' | 'path' | 'database'>): string {
  const hosts = host.map((name, at) => `${name}:${port[at] ?? port[0]}`)
  return `postgresql://${path || hosts.join(',')}/${database}`
}

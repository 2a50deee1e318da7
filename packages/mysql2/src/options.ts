import { InvalidOptionError } from '@vault-lease/core'
import { checkPlace, checkPoolSize, namesLogin, type Place } from '@vault-lease/core/adapter'

/** The options of createPool and createConnection (3.24), so that a misspelt one of ours is told from one of theirs. */
export const mysqlOptionNames: readonly string[] = [
  'authPlugins',
  'authSwitchHandler',
  'bigNumberStrings',
  'charset',
  'charsetNumber',
  'compress',
  'connectAttributes',
  'connectTimeout',
  'connectionLimit',
  'database',
  'dateStrings',
  'debug',
  'decimalNumbers',
  'disableEval',
  'enableCleartextPlugin',
  'enableKeepAlive',
  'flags',
  'gracefulEnd',
  'host',
  'idleTimeout',
  'infileStreamFactory',
  'insecureAuth',
  'isServer',
  'jsonStrings',
  'keepAliveInitialDelay',
  'localAddress',
  'maxIdle',
  'maxPreparedStatements',
  'multipleStatements',
  'namedPlaceholders',
  'nestTables',
  'password1',
  'password2',
  'password3',
  'passwordSha1',
  'pool',
  'port',
  'Promise',
  'queryFormat',
  'queueLimit',
  'resetOnRelease',
  'rowsAsArray',
  'socketPath',
  'ssl',
  'stream',
  'stringifyObjects',
  'supportBigNumbers',
  'timezone',
  'trace',
  'typeCast',
  'uri',
  'waitForConnections',
]

interface ConnectionOptions extends Place {
  readonly connectionLimit?: number | undefined
  readonly uri?: string | undefined
  readonly stream?: unknown
}

/** Where connections go, for people: no user, no password, no parameter of a URI. */
export function placeOf({ host, port, database, uri, socketPath }: PlacedOptions): string {
  const url = uri !== undefined && URL.canParse(uri) ? new URL(uri) : undefined
  if (socketPath) return `mysql:${socketPath}/${database ?? ''}`
  const where = host ?? (url?.hostname || undefined) ?? 'localhost'
  const name = database ?? url?.pathname.slice(1) ?? ''
  return `mysql://${where}:${port ?? (url?.port || undefined) ?? 3306}/${name}`
}

interface PlacedOptions {
  readonly host?: string | undefined
  readonly port?: number | undefined
  readonly database?: string | undefined
  readonly uri?: string | undefined
  readonly socketPath?: string | undefined
}

const secretNames = ['password1', 'passwordSha1'] as const

/**
 * Checks what `takeLease()` cannot know.
 *
 * @throws InvalidOptionError when the place or the size of the pool is none, when a password is given in another way, when a user or password stands in the URI, and for
 * one stream for all connections.
 */
export function checkConnectionOptions(options: ConnectionOptions): void {
  const { uri, stream, connectionLimit, ...others } = options
  checkPlace(others)
  checkPoolSize('connectionLimit', connectionLimit, 0)
  if ('setRole' in others)
    throw new InvalidOptionError('The option "setRole" is for PostgreSQL: leave it out.')
  const secret = secretNames.find((name) => Object.hasOwn(others, name))
  if (secret) throw new InvalidOptionError(`Leave out "${secret}": the password comes from Vault.`)
  if (stream !== undefined && typeof stream !== 'function') {
    throw new InvalidOptionError(
      'The option "stream" has to be a function that opens a stream for each connection.',
    )
  }
  if (uri) checkUri(uri)
}

function checkUri(uri: string): void {
  // The driver's own error would show what stands in it.
  if (!URL.canParse(uri))
    throw new InvalidOptionError('The option "uri" is not a URL such as mysql://host:3306/database.')
  if (namesLogin(new URL(uri))) {
    throw new InvalidOptionError('Leave the user and the password out of "uri": they come from Vault.')
  }
}

import { InvalidOptionError } from '@vault-lease/core'

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

interface ConnectionOptions {
  readonly uri?: string | undefined
}

const secretNames = ['password1', 'passwordSha1'] as const

/**
 * Checks what `takeLease()` cannot know.
 *
 * @throws InvalidOptionError when a password is given in another way, or a user or password stands in the URI.
 */
export function checkConnectionOptions(options: ConnectionOptions): void {
  const secret = secretNames.find((name) => Object.hasOwn(options, name))
  if (secret) throw new InvalidOptionError(`Leave out "${secret}": the password comes from Vault.`)
  const { uri } = options
  if (uri === undefined || !URL.canParse(uri)) return
  const { username, password } = new URL(uri)
  if (username !== '' || password !== '') {
    throw new InvalidOptionError('Leave the user and the password out of "uri": they come from Vault.')
  }
}

import { once } from 'node:events'
import {
  type AdapterOptions,
  type Credential,
  InvalidOptionError,
  type LeaseManager,
} from '@vault-lease/core'
import { attach, type Consumer, takeLease } from '@vault-lease/core/adapter'
import { checkSetRole, optionsWithRole, type SetRoleOptions } from '@vault-lease/pg/adapter'

/** Where the database is, and where the lease comes from. */
export type VaultDatabaseUrlOptions = AdapterOptions & SetRoleOptions & Place

interface Place {
  /** As in the `datasource` of your schema. */
  readonly provider: 'postgresql' | 'mysql'
  /** Default: PGHOST for PostgreSQL, else `localhost`. */
  readonly host?: string | undefined
  /** Default: PGPORT for PostgreSQL, else the provider's own. */
  readonly port?: number | undefined
  /** Default: PGDATABASE for PostgreSQL. */
  readonly database?: string | undefined
  /** What follows the question mark, such as `schema` or `sslmode`. */
  readonly parameters?: Readonly<Record<string, string>> | undefined
}

const ownNames = ['provider', 'host', 'port', 'database', 'parameters', 'setRole']

/**
 * A connection URL with a database user from Vault, for the command line of Prisma: for `prisma.config.ts`.
 *
 * The lease is renewed for as long as the process runs, and revoked when it ends by itself. When the process is killed, or
 * calls `process.exit()`, as Prisma does when a command fails, the lease ends with its TTL. A lease that you pass in is yours.
 *
 * Prisma gives the URL, with the password, to its schema engine as an argument: other users of the same machine can read it
 * while a command runs. Run it where there are none, with a role that has a short TTL.
 *
 * @example
 * export default defineConfig({
 *   datasource: { url: await vaultDatabaseUrl({ provider: 'postgresql', role: 'app-migrate', host, database }) },
 * })
 *
 * @throws InvalidOptionError for a misspelt option, a missing role or database, or a user or password beside them.
 * @throws CredentialsUnavailableError when Vault gives no credential.
 */
export async function vaultDatabaseUrl(options: VaultDatabaseUrlOptions): Promise<string> {
  const { open, driver } = takeLease(options, ownNames)
  const urlFor = databaseUrl(driver, process.env)
  const { lease, owned } = open()
  attach(lease, inUseWhileLeased(lease, options.provider))
  // A failure leaves the lease to its TTL.
  const close = (): Promise<void> => lease.close().catch(() => {})
  try {
    const credential = await lease.credential()
    if (owned) process.once('beforeExit', close)
    return urlFor(credential)
  } catch (error) {
    if (owned) await close()
    throw error
  }
}

/** The URL of an old generation may be in use for as long as there is a newer one. */
function inUseWhileLeased(lease: LeaseManager, provider: string): Consumer {
  const over = new AbortController()
  return {
    place: `the command line of Prisma (${provider})`,
    prove: async () => 'accepted',
    async retire(_generation, { signal }) {
      if (lease.generation === 0) over.abort()
      const either = AbortSignal.any([over.signal, signal])
      if (!either.aborted) await once(either, 'abort')
      return { closed: 0, forced: 0 }
    },
  }
}

function databaseUrl(
  options: SetRoleOptions & Place,
  env: NodeJS.ProcessEnv,
): (credential: Credential) => string {
  const { provider, host, port, database, parameters = {}, setRole } = options
  const place = defaults[provider]?.(env)
  if (!place) {
    throw new InvalidOptionError('Which database? Set the option "provider" to "postgresql" or "mysql".')
  }
  const name = database ?? place.database
  if (!name) throw new InvalidOptionError('Which database? Set the option "database".')
  const server = `${bracketed(host ?? place.host)}:${port ?? place.port}`
  checkSetRole(options)
  if (setRole !== undefined && provider !== 'postgresql')
    throw new InvalidOptionError(`The option "setRole" is for "postgresql", not "${provider}".`)
  const withRole = setRole !== undefined && { options: optionsWithRole(parameters['options'], setRole) }
  const search = new URLSearchParams({ ...parameters, ...withRole })
  const query = search.size > 0 ? `?${search}` : ''
  return ({ username, password }) => {
    const login = `${encodeURIComponent(username)}:${encodeURIComponent(password)}`
    return `${provider}://${login}@${server}/${encodeURIComponent(name)}${query}`
  }
}

interface DefaultPlace {
  readonly host: string
  readonly port: number | string
  readonly database: string | undefined
}

const defaults: Readonly<Record<Place['provider'], (env: NodeJS.ProcessEnv) => DefaultPlace>> = {
  postgresql: ({ PGHOST: host = 'localhost', PGPORT: port = 5432, PGDATABASE: database }) => ({
    host,
    port,
    database,
  }),
  mysql: () => ({ host: 'localhost', port: 3306, database: undefined }),
}

function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host
}

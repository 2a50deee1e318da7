import { type CredentialFunction, CredentialSourceError } from '@vault-lease/core'
import { checkOptions } from './options.ts'
import { vendorLibrary } from './vendor-library.ts'

/** What is needed of a `TokenCredential` of `@azure/identity`. */
export interface TokenCredentialLike {
  getToken(
    scopes: string,
    options: { readonly abortSignal: AbortSignal },
  ): Promise<{ readonly token: string; readonly expiresOnTimestamp: number } | null>
}

/** Who logs in to Azure Database for PostgreSQL or MySQL. */
export interface EntraOptions {
  /** The database user: the name of the managed identity, the application or the group in Microsoft Entra. */
  readonly username: string
  /** Default: a DefaultAzureCredential, which finds a managed identity, a workload identity or a login of the command line. */
  readonly tokenCredential?: TokenCredentialLike
}

const scope = 'https://ossrdbms-aad.database.windows.net/.default'

/**
 * The option `credential` of a pool on Azure Database for PostgreSQL or MySQL: access tokens of Microsoft Entra. One serves all
 * connections until Entra gives the next. Sessions go on without it. Needs `@azure/identity`.
 *
 * @example
 * const credential = entra({ username: 'app-identity' })
 * const pool = new VaultPool({ credential, host, database: 'app', ssl: true })
 *
 * @see https://learn.microsoft.com/azure/postgresql/flexible-server/security-entra-concepts
 *
 * @throws InvalidOptionError for an option that is missing or misspelt.
 */
export function entra(options: EntraOptions): CredentialFunction {
  checkOptions(options, ['username'], ['tokenCredential'])
  const { username } = options
  let { tokenCredential } = options
  return async ({ signal }) => {
    tokenCredential ??= await defaultCredential()
    const given = await tokenCredential.getToken(scope, { abortSignal: signal })
    if (!given) throw new CredentialSourceError('Microsoft Entra gave no token for Azure Database.')
    return { username, password: given.token, expiresAt: new Date(given.expiresOnTimestamp) }
  }
}

async function defaultCredential(): Promise<TokenCredentialLike> {
  const { DefaultAzureCredential } = await vendorLibrary('@azure/identity', () => import('@azure/identity'))
  return new DefaultAzureCredential()
}

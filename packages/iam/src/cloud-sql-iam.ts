import type { CredentialFunction } from '@vault-lease/core'
import { CredentialSourceError } from '@vault-lease/core'
import { checkOptions } from './options.ts'
import { vendorLibrary } from './vendor-library.ts'

/** What is needed of a `GoogleAuth` of google-auth-library. */
export interface GoogleAuthLike {
  getClient(): Promise<{
    getAccessToken(): Promise<{ readonly token?: string | null }>
    readonly credentials: { readonly expiry_date?: number | null }
  }>
}

/** Who logs in to Cloud SQL. */
export interface CloudSqlIamOptions {
  /**
   * The database user. In PostgreSQL a service account without `.gserviceaccount.com`, as `app@project.iam`; in MySQL what stands
   * before the @.
   */
  readonly username: string
  /** Default: the application default credentials, with the scope for logging in to Cloud SQL. */
  readonly auth?: GoogleAuthLike
}

const scopes = ['https://www.googleapis.com/auth/sqlservice.login']

/**
 * The option `credential` of a pool on Google's Cloud SQL: access tokens of the application default credentials. One serves all
 * connections until Google gives the next. Sessions go on without it. Needs `google-auth-library`.
 *
 * @example
 * const credential = cloudSqlIam({ username: 'app@project.iam' })
 * const pool = new VaultPool({ credential, host, database: 'app', ssl: { ca } })
 *
 * @see https://cloud.google.com/sql/docs/postgres/iam-logins
 *
 * @throws InvalidOptionError for an option that is missing or misspelt.
 */
export function cloudSqlIam(options: CloudSqlIamOptions): CredentialFunction {
  checkOptions(options, ['username'], ['auth'])
  const { username } = options
  let { auth } = options
  return async () => {
    auth ??= await applicationDefault()
    const client = await auth.getClient()
    const { token } = await client.getAccessToken()
    if (!token)
      throw new CredentialSourceError('Google gave no access token for the application default credentials.')
    const { expiry_date: expiresAt } = client.credentials
    return { username, password: token, expiresAt: expiresAt ? new Date(expiresAt) : undefined }
  }
}

async function applicationDefault(): Promise<GoogleAuthLike> {
  const { GoogleAuth } = await vendorLibrary('google-auth-library', () => import('google-auth-library'))
  return new GoogleAuth({ scopes })
}

import type { CredentialFunction } from '@vault-lease/core'
import { checkOptions } from './options.ts'
import { vendorLibrary } from './vendor-library.ts'

/** Credentials as the AWS SDK has them. */
export interface AwsCredentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
  readonly expiration?: Date
}

/** Which database of Amazon RDS, Aurora or RDS Proxy it is, and who logs in. */
export interface RdsIamOptions {
  /** The endpoint, as AWS names it: a token is for one endpoint, and one for another name of it is refused. */
  readonly hostname: string
  /** The port of the endpoint. Default: 5432. */
  readonly port?: number
  /** The database user: in PostgreSQL one with the role `rds_iam`, in MySQL one of the AWSAuthenticationPlugin. */
  readonly username: string
  /** Default: what the AWS SDK finds, such as AWS_REGION. */
  readonly region?: string
  /** The profile of the AWS configuration with the credentials and the region. */
  readonly profile?: string
  /** What signs the tokens. Default: what the AWS SDK finds, such as the role of the pod, the task or the instance. */
  readonly credentials?: AwsCredentials | (() => Promise<AwsCredentials>)
}

/** A token says itself when it was signed, and for how many seconds it may be used. */
const signedAt = /[?&]X-Amz-Date=(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z/
const usedFor = /[?&]X-Amz-Expires=(\d+)/

/**
 * The option `credential` of a pool on Amazon RDS: tokens that are signed here, without asking anybody, each of use for 15 minutes.
 * One serves all connections until a third of its life is left. Sessions go on without it. Needs `@aws-sdk/rds-signer`.
 *
 * @example
 * const credential = rdsIam({ hostname: host, username: 'app', region: 'eu-central-1' })
 * const pool = new VaultPool({ credential, host, database: 'app', ssl: { ca } })
 *
 * @see https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.IAMDBAuth.html
 *
 * @throws InvalidOptionError for an option that is missing or misspelt.
 */
export function rdsIam(options: RdsIamOptions): CredentialFunction {
  checkOptions(options, ['hostname', 'username'], ['port', 'region', 'profile', 'credentials'])
  const { username, port = 5432 } = options
  return async () => {
    const { Signer } = await vendorLibrary('@aws-sdk/rds-signer', () => import('@aws-sdk/rds-signer'))
    const password = await new Signer({ ...options, port }).getAuthToken()
    return { username, password, expiresAt: endOf(password) }
  }
}

function endOf(token: string): Date | undefined {
  const [, year, month, day, hour, minute, second] = signedAt.exec(token) ?? []
  const seconds = Number(usedFor.exec(token)?.[1])
  const end = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`) + seconds * 1_000
  return Number.isNaN(end) ? undefined : new Date(end)
}

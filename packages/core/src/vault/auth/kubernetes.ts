import * as z from 'zod/mini'
import { checkOptions } from '../../options/check-options.ts'
import { apiPath, checkMountPath } from '../path.ts'
import type { AuthMethod } from './auth.ts'
import { identityOf } from './identity.ts'
import { readSecretFile, secretFileError } from './secret-file.ts'

export interface KubernetesOptions {
  /** The role of the auth method. */
  readonly role: string
  /** Where the auth method is mounted. Default: `kubernetes`. */
  readonly mount?: string | undefined
  /** The file with the token of the service account. Default: /var/run/secrets/kubernetes.io/serviceaccount/token. */
  readonly tokenFile?: string | undefined
  /** What the token has to be made for, when the role in Vault asks for it: a wrong one is told before it is sent. */
  readonly audience?: string | undefined
}

const serviceAccountToken = '/var/run/secrets/kubernetes.io/serviceaccount/token'

const schema = z.strictObject({
  role: z.string().check(z.minLength(1)),
  mount: z.optional(z.string()),
  tokenFile: z.optional(z.string()),
  audience: z.optional(z.string()),
})

/**
 * Logs in with the token of the pod's service account, read anew at each login because Kubernetes replaces it. Vault's token is
 * given back (revoked) when the lease closes.
 *
 * @example
 * createVault({ auth: kubernetes({ role: 'my-app' }) })
 *
 * @throws InvalidOptionError for an unknown option, and when the role is missing.
 */
export function kubernetes(options: KubernetesOptions): AuthMethod {
  const {
    role,
    mount = 'kubernetes',
    tokenFile = serviceAccountToken,
    audience,
  } = checkOptions('The options of kubernetes()', schema, options)
  checkMountPath(mount)
  return {
    name: 'kubernetes',
    identity: identityOf('kubernetes', { role, mount, tokenFile, audience }),
    async logIn({ login, signal }) {
      const jwt = await readSecretFile('service account token', tokenFile, signal)
      if (audience !== undefined) checkAudience(jwt, audience, tokenFile)
      return await login({
        method: 'PUT',
        path: apiPath('auth', mount, 'login'),
        body: { role, jwt },
      })
    },
  }
}

function checkAudience(jwt: string, audience: string, file: string): void {
  const made = audiencesOf(jwt)
  if (made.includes(audience)) return
  const forWhom = made.length > 0 ? `is made for ${made.join(', ')}` : 'names no audience'
  throw secretFileError(
    'service account token',
    file,
    `${forWhom}, not for ${audience}: project a token with that audience`,
  )
}

/** The claim "aud" (RFC 7519, section 4.1.3). The token itself is checked by Vault. */
function audiencesOf(jwt: string): string[] {
  try {
    const claims: unknown = JSON.parse(Buffer.from(jwt.split('.')[1] ?? '', 'base64url').toString())
    const aud = typeof claims === 'object' && claims !== null && 'aud' in claims ? claims.aud : []
    return [aud].flat().filter((each) => typeof each === 'string')
  } catch {
    return []
  }
}

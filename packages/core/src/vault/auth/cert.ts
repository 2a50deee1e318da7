import * as z from 'zod/mini'
import { checkOptions } from '../../options/check-options.ts'
import { apiPath, checkMountPath } from '../path.ts'
import type { AuthMethod } from './auth.ts'
import { identityOf } from './identity.ts'

export interface CertOptions {
  /** The certificate role. Default: any that the certificate fits. */
  readonly name?: string | undefined
  /** Where the auth method is mounted. Default: `cert`. */
  readonly mount?: string | undefined
}

const schema = z.strictObject({
  name: z.optional(z.string()),
  mount: z.optional(z.string()),
})

/**
 * Logs in with the client certificate of the connection: `tls.clientCertFile` and `tls.clientKeyFile`, or VAULT_CLIENT_CERT and
 * VAULT_CLIENT_KEY. The token is given back (revoked) when the lease closes.
 */
export function cert(options: CertOptions = {}): AuthMethod {
  const { name, mount = 'cert' } = checkOptions('The options of cert()', schema, options)
  checkMountPath(mount)
  return {
    name: 'cert',
    identity: identityOf('cert', { name, mount }),
    async logIn({ login }) {
      const body = name === undefined ? {} : { name }
      return await login({ method: 'PUT', path: apiPath('auth', mount, 'login'), body })
    },
  }
}

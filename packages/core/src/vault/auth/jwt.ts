import * as z from 'zod/mini'
import { InvalidOptionError } from '../../errors.ts'
import { checkOptions } from '../../options/check-options.ts'
import { VaultError } from '../errors.ts'
import { apiPath, checkMountPath } from '../path.ts'
import type { AuthMethod } from './auth.ts'
import { calledBack } from './called-back.ts'
import { identityOf } from './identity.ts'
import { readSecretFile } from './secret-file.ts'

export interface JwtOptions {
  /** The role of the auth method. Default: the default role of its configuration. */
  readonly role?: string | undefined
  /** The file with the JWT, read anew at each login … */
  readonly jwtFile?: string | undefined
  /** … or a function that gives one, called at each login. */
  readonly jwt?: ((context: { readonly signal: AbortSignal | undefined }) => Promise<string>) | undefined
  /** Where the auth method is mounted. Default: `jwt`. */
  readonly mount?: string | undefined
}

const schema = z.strictObject({
  role: z.optional(z.string()),
  jwtFile: z.optional(z.string()),
  jwt: z.optional(
    z.custom<NonNullable<JwtOptions['jwt']>>((value) => typeof value === 'function', 'a function is needed'),
  ),
  mount: z.optional(z.string()),
})

/**
 * Logs in with a JWT of somebody whom Vault trusts: an OIDC provider, a CI system, SPIFFE. Vault's token is given back (revoked)
 * when the lease closes.
 *
 * @example
 * createVault({ auth: jwt({ role: 'my-app', jwtFile: '/run/secrets/jwt' }) })
 *
 * @throws InvalidOptionError unless either a file or a function is given.
 */
export function jwt(options: JwtOptions): AuthMethod {
  const { role, jwtFile, jwt: give, mount = 'jwt' } = checkOptions('The options of jwt()', schema, options)
  checkMountPath(mount)
  if ((jwtFile === undefined) === (give === undefined)) {
    throw new InvalidOptionError('Give jwt() either a jwtFile or a function jwt.')
  }
  return {
    name: 'jwt',
    // Nobody knows what a function gives.
    identity: give ? undefined : identityOf('jwt', { role, jwtFile, mount }),
    async logIn({ login, signal }) {
      const value = give ? await given(give, signal) : await readSecretFile('JWT', jwtFile ?? '', signal)
      const body = { ...(role !== undefined && { role }), jwt: value }
      return await login({ method: 'PUT', path: apiPath('auth', mount, 'login'), body })
    },
  }
}

async function given(give: NonNullable<JwtOptions['jwt']>, signal: AbortSignal | undefined): Promise<string> {
  const value = await calledBack('jwt', () => give({ signal }), signal)
  if (typeof value === 'string' && value !== '') return value
  throw new VaultError('The function "jwt" has to give a JWT.', { code: 'ERR_VAULT_LOGIN_FAILED' })
}

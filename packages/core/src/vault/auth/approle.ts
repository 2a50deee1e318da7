import * as z from 'zod/mini'
import { InvalidOptionError } from '../../errors.ts'
import { checkOptions } from '../../options/check-options.ts'
import { apiPath, checkMountPath } from '../path.ts'
import type { AuthMethod, LoginContext } from './auth.ts'
import { identityOf } from './identity.ts'
import { readSecretFile } from './secret-file.ts'
import { Unwrapped } from './unwrapped.ts'

export interface AppRoleOptions {
  readonly roleId: string
  /** The secret id itself … */
  readonly secretId?: string | undefined
  /** … or the file that holds it, read anew at each login. */
  readonly secretIdFile?: string | undefined
  /**
   * Whether what is given is a wrapping token with the secret id in it. It is unwrapped once, and only if it was
   * made at `auth/<mount>/role/<role>/secret-id` (or `custom-secret-id`): whoever has read it and wrapped it again is noticed.
   * Default: false.
   */
  readonly wrapped?: boolean | undefined
  /** Where the auth method is mounted. Default: `approle`. */
  readonly mount?: string | undefined
}

const schema = z.strictObject({
  roleId: z.string().check(z.minLength(1)),
  secretId: z.optional(z.string()),
  secretIdFile: z.optional(z.string()),
  wrapped: z.optional(z.boolean()),
  mount: z.optional(z.string()),
})

/**
 * Logs in by AppRole. The token is given back (revoked) when the lease closes.
 *
 * @example
 * createVault({ auth: appRole({ roleId, secretIdFile: '/run/secrets/secret_id' }) })
 *
 * @throws InvalidOptionError for an unknown option, when the role id is missing, or both forms of the secret id are given.
 */
export function appRole(options: AppRoleOptions): AuthMethod {
  const {
    roleId,
    secretId,
    secretIdFile,
    wrapped = false,
    mount = 'approle',
  } = checkOptions('The options of appRole()', schema, options)
  checkMountPath(mount)
  if (secretId !== undefined && secretIdFile !== undefined) {
    throw new InvalidOptionError('Give appRole() either a secretId or a secretIdFile.')
  }
  if (wrapped && secretId === undefined && secretIdFile === undefined) {
    throw new InvalidOptionError('appRole() needs a secretId or a secretIdFile that is wrapped.')
  }
  const unwrapped = new Unwrapped('secret id', madeAt(mount))
  const secretOf = async (context: LoginContext): Promise<string | undefined> => {
    const given =
      secretIdFile === undefined ? secretId : await readSecretFile('secret id', secretIdFile, context.signal)
    if (!wrapped || given === undefined) return given
    return await unwrapped.secretIn(given, context, ({ data }) => data['secret_id'])
  }
  return {
    name: 'approle',
    identity: identityOf('approle', { roleId, secretId, secretIdFile, wrapped, mount }),
    async logIn(context) {
      const secret = await secretOf(context)
      const body = { role_id: roleId, ...(secret !== undefined && { secret_id: secret }) }
      return await context.login({
        method: 'PUT',
        path: apiPath('auth', mount, 'login'),
        body,
      })
    },
  }
}

/** Where Vault makes secret ids (creation_path). The name of the role is not known here, and holds no slash. */
function madeAt(mount: string): { readonly pattern: RegExp; readonly shown: string } {
  const path = mount.replaceAll('.', '\\.')
  return {
    pattern: new RegExp(`^auth/${path}/role/[^/]+/(custom-)?secret-id$`),
    shown: `auth/${mount}/role/<role>/secret-id`,
  }
}

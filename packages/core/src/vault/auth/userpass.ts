import * as z from 'zod/mini'
import { InvalidOptionError } from '../../errors.ts'
import { checkOptions } from '../../options/check-options.ts'
import { apiPath, checkMountPath } from '../path.ts'
import type { AuthMethod } from './auth.ts'
import { identityOf } from './identity.ts'
import { readSecretFile } from './secret-file.ts'

export interface UserpassOptions {
  readonly username: string
  /** The password itself … */
  readonly password?: string | undefined
  /** … or the file that holds it, read anew at each login. */
  readonly passwordFile?: string | undefined
  /** Where the auth method is mounted. Default: `userpass`. */
  readonly mount?: string | undefined
}

const schema = z.strictObject({
  username: z.string().check(z.minLength(1)),
  password: z.optional(z.string()),
  passwordFile: z.optional(z.string()),
  mount: z.optional(z.string()),
})

/**
 * Logs in with a user name and a password of Vault's. The token is given back (revoked) when the lease closes.
 *
 * @throws InvalidOptionError unless a user name and either a password or its file are given.
 */
export function userpass(options: UserpassOptions): AuthMethod {
  const {
    username,
    password,
    passwordFile,
    mount = 'userpass',
  } = checkOptions('The options of userpass()', schema, options)
  checkMountPath(mount)
  if (/^\.{1,2}$|\//.test(username)) throw new InvalidOptionError('userpass(): that cannot be a username.')
  if ((password === undefined) === (passwordFile === undefined)) {
    throw new InvalidOptionError('Give userpass() either a password or a passwordFile.')
  }
  return {
    name: 'userpass',
    identity: identityOf('userpass', { username, password, passwordFile, mount }),
    async logIn({ login, signal }) {
      const secret = password ?? (await readSecretFile('password', passwordFile ?? '', signal))
      const path = apiPath('auth', mount, 'login', username)
      return await login({ method: 'PUT', path, body: { password: secret } })
    },
  }
}

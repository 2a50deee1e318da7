import { readFile } from 'node:fs/promises'
import { InvalidOptionError } from '../../errors.ts'
import { VaultError } from '../errors.ts'
import { apiPath, checkMountPath } from '../path.ts'
import type { AuthMethod } from './auth.ts'

export interface AppRoleOptions {
  readonly roleId: string
  /** The secret id itself … */
  readonly secretId?: string | undefined
  /** … or the file that holds it, read anew at each login. */
  readonly secretIdFile?: string | undefined
  /** Where the auth method is mounted. Default: `approle`. */
  readonly mount?: string | undefined
}

/**
 * Logs in by AppRole. The token is given back (revoked) when the lease closes.
 *
 * @example
 * createVault({ auth: appRole({ roleId, secretIdFile: '/run/secrets/secret_id' }) })
 *
 * @throws InvalidOptionError when the role id is missing, or both forms of the secret id are given.
 */
export function appRole({ roleId, secretId, secretIdFile, mount = 'approle' }: AppRoleOptions): AuthMethod {
  checkMountPath(mount)
  if (!roleId) throw new InvalidOptionError('appRole() needs a roleId.')
  if (secretId !== undefined && secretIdFile !== undefined) {
    throw new InvalidOptionError('Give appRole() either a secretId or a secretIdFile.')
  }
  return {
    name: 'approle',
    async logIn({ login, signal }) {
      const secret = secretIdFile === undefined ? secretId : await readSecretId(secretIdFile, signal)
      const body = { role_id: roleId, ...(secret !== undefined && { secret_id: secret }) }
      return await login({ method: 'PUT', path: apiPath('auth', mount, 'login'), body, signal })
    },
  }
}

async function readSecretId(path: string, signal: AbortSignal | undefined): Promise<string> {
  try {
    return (await readFile(path, signal ? { encoding: 'utf8', signal } : 'utf8')).trim()
  } catch (cause) {
    throw new VaultError(`The secret id file ${path} cannot be read.`, {
      code: 'ERR_VAULT_LOGIN_FAILED',
      retryable: true,
      cause,
    })
  }
}

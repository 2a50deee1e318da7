import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { InvalidOptionError } from '../../errors.ts'
import type { VaultEnvironment } from '../environment.ts'
import type { AuthMethod } from './auth.ts'
import { none } from './none.ts'
import { token } from './token.ts'
import { tokenFile } from './token-file.ts'

/**
 * How to log in when nobody says it: the token in VAULT_TOKEN; else none beside VAULT_AGENT_ADDR, whose listener has one; else the
 * file that `vault login` writes.
 *
 * @throws InvalidOptionError when there is none of them.
 */
export function defaultAuth({ token: value, behindAgent, home }: VaultEnvironment): AuthMethod {
  if (value !== undefined) return token(value)
  if (behindAgent) return none()
  const written = home && join(home, '.vault-token')
  if (written && existsSync(written)) return tokenFile(written)
  throw new InvalidOptionError(
    'How to log in to Vault? Set the environment variable VAULT_TOKEN, or the option vault.auth: kubernetes(), appRole(), jwt(), userpass(), cert(), token(), tokenFile(), none(), or a function of your own.',
  )
}

import { InvalidOptionError } from '../../errors.ts'
import type { AuthMethod } from './auth.ts'
import { identityOf } from './identity.ts'

/**
 * A token that the caller has. It is renewed while it can be, and never revoked.
 *
 * @throws InvalidOptionError when it is empty or cannot be one.
 */
export function token(value: string): AuthMethod {
  if (!canBeToken(value)) {
    throw new InvalidOptionError('The Vault token is missing, empty or holds characters that no token has.')
  }
  return {
    name: 'token',
    identity: identityOf('token', value),
    logIn: async () => ({ kind: 'given', token: value }),
  }
}

/** An HTTP header has to carry it. */
export function canBeToken(value: unknown): value is string {
  return typeof value === 'string' && /^[\x21-\x7e]+$/.test(value)
}

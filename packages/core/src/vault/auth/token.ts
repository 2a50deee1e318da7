import { InvalidOptionError } from '../../errors.ts'
import type { AuthMethod } from './auth.ts'

/**
 * A token that the caller has. It is renewed while it can be, and never revoked.
 *
 * @throws InvalidOptionError when it is empty or cannot be one.
 */
export function token(value: string): AuthMethod {
  if (!canBeToken(value)) {
    throw new InvalidOptionError('The Vault token is empty or holds characters that no token has.')
  }
  return { name: 'token', logIn: async () => ({ kind: 'given', token: value }) }
}

/** An HTTP header has to carry it. */
export function canBeToken(value: string): boolean {
  return /^[\x21-\x7e]+$/.test(value)
}

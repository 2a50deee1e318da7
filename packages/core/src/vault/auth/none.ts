import type { AuthMethod } from './auth.ts'
import { identityOf } from './identity.ts'

/**
 * No token: for a listener of Vault Agent or Vault Proxy that adds its own (`use_auto_auth_token`). Nothing is renewed and
 * nothing is revoked but leases.
 */
export function none(): AuthMethod {
  return { name: 'none', identity: identityOf('none'), logIn: async () => ({ kind: 'none' }) }
}

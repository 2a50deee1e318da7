import { type AdapterOptions, InvalidOptionError } from '@vault-lease/core'

/** Where the lease comes from. Everything else is said to the client itself. */
export type VaultRedisOptions = AdapterOptions

/** @throws InvalidOptionError when a client has a user or a password of its own. */
export function checkNoLogin(login: { readonly username?: unknown; readonly password?: unknown }): void {
  if (login.username || login.password) {
    throw new InvalidOptionError('Leave the user and the password out of the client: they come from Vault.')
  }
}

import { identityOf } from './auth/identity.ts'
import type { Vault } from './vault.ts'
import type { VaultConfig } from './vault-config.ts'

/**
 * Equal for what reaches the same Vault in the same way with the same login. Undefined when that cannot be known, as of an auth
 * method of the caller's own. It tells nothing of what it is made of.
 */
export function identityOfVault({ auth, ...reach }: VaultConfig): string | undefined {
  return auth.identity === undefined ? undefined : identityOf(auth.identity, reach)
}

const instances = new WeakMap<Vault, string>()
let count = 0

/** Equal for one and the same Vault that a caller has made. */
export function identityOfInstance(vault: Vault): string {
  const known = instances.get(vault) ?? `instance ${++count}`
  instances.set(vault, known)
  return known
}

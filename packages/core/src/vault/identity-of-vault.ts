import { identityOf } from './auth/identity.ts'
import type { VaultConfig } from './vault-config.ts'

/**
 * Equal for what reaches the same Vault in the same way with the same login. Undefined when that cannot be known, as of an auth
 * method of the caller's own. It tells nothing of what it is made of.
 */
export function identityOfVault({ auth, ...reach }: VaultConfig): string | undefined {
  return auth.identity === undefined ? undefined : identityOf(auth.identity, reach)
}

const instances = new WeakMap<object, string>()
let count = 0

/** Equal for one and the same object, or function, that a caller has made. */
export function identityOfInstance(instance: object): string {
  const known = instances.get(instance) ?? `instance ${++count}`
  instances.set(instance, known)
  return known
}

import { identityOf } from './auth/identity.ts'
import { Vault, type VaultOptions } from './vault.ts'

const instances = new WeakMap<Vault, string>()
let count = 0

/**
 * Equal for what reaches the same Vault with the same login. Undefined when that cannot be known, as of an auth method of the
 * caller's own. It tells nothing of what it is made of.
 */
export function identityOfVault(
  vault: Vault | VaultOptions | undefined,
  env: NodeJS.ProcessEnv,
): string | undefined {
  if (vault instanceof Vault) return identityOfInstance(vault)
  const { auth, ...options } = vault ?? {}
  const login = typeof auth === 'object' ? auth.identity : undefined
  if (auth && login === undefined) return undefined
  const variables = Object.entries(env).filter(([name]) => name.startsWith('VAULT_'))
  return identityOf(sorted(Object.entries(options)), login, sorted(variables))
}

function identityOfInstance(vault: Vault): string {
  const known = instances.get(vault) ?? `instance ${++count}`
  instances.set(vault, known)
  return known
}

function sorted(entries: [string, unknown][]): [string, unknown][] {
  return entries.filter(([, value]) => value !== undefined).sort(([a], [b]) => (a < b ? -1 : 1))
}

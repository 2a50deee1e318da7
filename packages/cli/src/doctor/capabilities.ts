import { VaultError } from '@vault-lease/core'
import type { VaultApi } from '../vault/vault-api.ts'

/** What the token may do at these paths; `undefined` when no policy lets it ask. */
export async function capabilitiesOf(
  vault: VaultApi,
  paths: readonly string[],
): Promise<Readonly<Record<string, readonly string[]>> | undefined> {
  try {
    const { data } = await vault.write('sys/capabilities-self', { paths })
    return Object.fromEntries(
      paths.map((path) => {
        const found = data[path]
        return [path, Array.isArray(found) ? found.map(String) : []]
      }),
    )
  } catch (error) {
    if (error instanceof VaultError && error.status === 403) return undefined
    throw error
  }
}

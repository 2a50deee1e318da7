import { expect } from 'vitest'
import { leakIn, type SecretWatch } from '../secret-watch.ts'

export function expectNoSecrets(watch: SecretWatch): void {
  const leak = leakIn(watch)
  if (leak !== undefined) expect.fail(`a secret is shown in: ${leak.slice(0, 2_000)}`)
}

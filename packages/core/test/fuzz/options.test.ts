import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { InvalidOptionError } from '../../src/errors.ts'
import { createLeaseOn } from '../../src/lease/create-lease.ts'
import { systemClock } from '../../src/resilience/clock.ts'
import { takeLease } from '../../src/take-lease.ts'
import { createVaultOn } from '../../src/vault/create-vault.ts'
import { readVaultConfig } from '../../src/vault/vault-config.ts'

const secret = 'NeverPrintThis'
const value = fc.oneof(
  fc.constantFrom<unknown>(
    secret,
    null,
    undefined,
    0,
    -1,
    Number.NaN,
    true,
    [],
    {},
    [secret],
    { role: secret },
    () => secret,
  ),
  fc.jsonValue(),
)
const names = [
  ...['role', 'staticRole', 'mount', 'vault', 'credentialFile', 'credential', 'rotation', 'shared', 'lease'],
  ...[
    'address',
    'namespace',
    'auth',
    'tls',
    'proxy',
    'timeoutMs',
    'maxRetries',
    'circuitBreaker',
    'rateLimit',
  ],
  ...[
    'adress',
    'rol',
    'mounts',
    'drainTimeoutMs',
    'host',
    'user',
    'password',
    '__proto__',
    'constructor',
    'toString',
  ],
]
const options = fc.oneof(
  { weight: 8, arbitrary: fc.dictionary(fc.constantFrom(...names), value, { maxKeys: 5 }) },
  { weight: 1, arbitrary: value },
)
const env = { VAULT_TOKEN: 't', VAULT_DB_ROLE: 'app' }
const surroundings = { clock: systemClock, env, random: Math.random }

/** It works, or says what is wrong in our own words, and never repeats what it was given. */
function expectSense(make: () => unknown): void {
  try {
    make()
  } catch (error) {
    expect(error).toBeInstanceOf(InvalidOptionError)
    expect(String(error)).not.toContain(secret)
  }
}

describe('options of every kind', () => {
  it.each<[string, (given: never) => unknown]>([
    ['createVault()', (given) => createVaultOn(readVaultConfig(given, env), surroundings)],
    ['createLease()', (given) => createLeaseOn(given, surroundings)],
    ['createLease() with a Vault of options', (given) => createLeaseOn({ vault: given }, surroundings)],
    ['createLease() with a rotation', (given) => createLeaseOn({ rotation: given }, surroundings)],
    ['the options of an adapter', (given) => takeLease(given, ['host'])],
  ])('%s makes sense of them, or says why not', (_name, make) => {
    fc.assert(
      fc.property(options, (given) => expectSense(() => make(given as never))),
      { numRuns: 500 },
    )
  })
})

import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { InvalidOptionError } from '../../src/errors.ts'
import { appRole } from '../../src/vault/auth/approle.ts'
import { identityOf } from '../../src/vault/auth/identity.ts'
import { token } from '../../src/vault/auth/token.ts'
import { userpass } from '../../src/vault/auth/userpass.ts'
import { createVaultOn } from '../../src/vault/create-vault.ts'
import { identityOfVault } from '../../src/vault/identity-of-vault.ts'
import { readVaultConfig } from '../../src/vault/vault-config.ts'
import type { VaultOptions } from '../../src/vault/vault-options.ts'
import { ManualClock } from '../manual-clock.ts'

const identity = (options: VaultOptions, env: NodeJS.ProcessEnv = {}): string | undefined =>
  identityOfVault(readVaultConfig({ auth: token('t'), ...options }, env))
const identityOfObject = (options: VaultOptions): string | undefined =>
  identityOfVault(readVaultConfig(options, { VAULT_TOKEN: 't' }))

/** The same options as the getters of a class, and those of `tls` and the like, too. */
function asClass(options: object): object {
  class Options {}
  for (const [name, value] of Object.entries(options)) {
    const isPlain = typeof value === 'object' && Object.getPrototypeOf(value) === Object.prototype
    const shown = isPlain && !('logIn' in value) ? asClass(value) : value
    Object.defineProperty(Options.prototype, name, { get: () => shown })
  }
  return new Options()
}

/** What can be said by options and by variables alike: the option, and the variable with its text. */
const sayings = fc
  .record(
    {
      address: fc.constantFrom('https://one', 'https://two:8200', 'https://three/prefix'),
      namespace: fc.constantFrom('team', 'other'),
      proxy: fc.constantFrom('http://proxy', 'http://user:secret@proxy'),
      timeoutMs: fc.constantFrom(1_000, 5_000),
      maxRetries: fc.constantFrom(0, 1, 7),
      rate: fc.constantFrom(0.5, 10),
      caPath: fc.constantFrom('/one', '/two'),
      serverName: fc.constantFrom('one', 'two'),
      skipVerify: fc.boolean(),
      auth: fc.constantFrom('first-token', 'second-token'),
    },
    { requiredKeys: ['auth'] },
  )
  .map((said) => {
    const { rate, caPath, serverName, skipVerify, auth, ...plain } = said
    const tls = defined({ caPath, serverName, skipVerify })
    const options = {
      ...plain,
      ...(Object.keys(tls).length > 0 && { tls }),
      ...(rate !== undefined && { rateLimit: { rate } }),
      auth: token(auth),
    }
    const variables = defined({
      VAULT_ADDR: plain.address,
      VAULT_NAMESPACE: plain.namespace,
      VAULT_HTTP_PROXY: plain.proxy,
      VAULT_CLIENT_TIMEOUT: plain.timeoutMs && `${plain.timeoutMs}ms`,
      VAULT_MAX_RETRIES: plain.maxRetries,
      VAULT_RATE_LIMIT: rate,
      VAULT_CAPATH: caPath,
      VAULT_TLS_SERVER_NAME: serverName,
      VAULT_SKIP_VERIFY: skipVerify,
      VAULT_TOKEN: auth,
    })
    const env = Object.fromEntries(Object.entries(variables).map(([name, value]) => [name, String(value)]))
    // What is the default may be said or not.
    return { said: JSON.stringify(skipVerify ? said : { ...said, skipVerify: undefined }), options, env }
  })

function defined(values: object): object {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined))
}

describe('what a Vault is made of', () => {
  it('without options and variables is the defaults', () => {
    const auth = token('t')
    expect(readVaultConfig({ auth }, {})).toEqual({
      addresses: [{ base: 'https://127.0.0.1:8200', socketPath: undefined }],
      namespace: undefined,
      auth,
      tls: { skipVerify: false },
      proxy: undefined,
      timeoutMs: 60_000,
      maxRetries: 2,
      circuitBreaker: { failures: 5, pauseMs: 30_000 },
      rateLimit: undefined,
      followRedirects: true,
    })
  })

  it.each([
    [2.5, 2],
    [0.5, 1],
  ])('lets as many requests through at once as in a second, at least one: %f %i', (rate, burst) => {
    expect(readVaultConfig({ auth: token('t'), rateLimit: { rate } }, {}).rateLimit).toEqual({ rate, burst })
  })

  it('is what the options say, else the environment, also of the parts of TLS', () => {
    const env = { VAULT_CACERT: '/env', VAULT_TLS_SERVER_NAME: 'env', VAULT_NAMESPACE: 'env' }
    const tls = { caPath: '/own', serverName: undefined }
    const config = readVaultConfig({ auth: token('t'), namespace: '', tls }, env)
    expect(config.namespace).toBeUndefined()
    expect(config.tls).toEqual({ caPath: '/own', serverName: 'env', skipVerify: false })
  })

  it('is read once, and what is identified is what is used', () => {
    const given = ['https://one', 'https://two']
    let reads = 0
    class Changing {
      get address(): string | undefined {
        return given[reads++]
      }
    }
    const config = readVaultConfig(new Changing(), { VAULT_TOKEN: 't' })
    expect(reads).toBe(1)
    const vault = createVaultOn(config, { clock: new ManualClock(), random: () => 0.5 })
    expect(vault.address).toBe('https://one')
    expect(identityOfVault(config)).toBe(identityOfObject({ address: 'https://one' }))
  })

  it.each([
    ['a misspelt getter', { adress: 'https://one' }, /"adress" is not an option, did you mean "address"/],
    ['a misspelt getter inside', { tls: { skipVerfy: true } }, /did you mean "skipVerify"/],
    ['a getter with a wrong value', { timeoutMs: -1 }, /timeoutMs/],
    ['a getter with a wrong value inside', { circuitBreaker: { failures: 0 } }, /circuitBreaker\.failures/],
  ])('of a class: %s is an error', (_name, options, message) => {
    const read = (): unknown => readVaultConfig(asClass(options), { VAULT_TOKEN: 't' })
    expect(read).toThrow(InvalidOptionError)
    expect(read).toThrow(message)
  })

  it('may be said by a property that is not listed', () => {
    const hidden = Object.defineProperty({}, 'address', { value: 'https://one' })
    expect(identityOfObject(hidden)).toBe(identityOfObject({ address: 'https://one' }))
    const wrong = Object.defineProperty({}, 'timeoutMs', { value: -1 })
    expect(() => identityOfObject(wrong)).toThrow(/timeoutMs/)
  })

  it('may come from a class that has methods, and a class above it', () => {
    class Base {
      get address(): string {
        return 'https://one'
      }
    }
    class Options extends Base {
      namespace = 'team'
      describe(): string {
        return 'mine'
      }
    }
    expect(identityOfObject(new Options())).toBe(
      identityOfObject({ address: 'https://one', namespace: 'team' }),
    )
  })
})

describe('the identity of a Vault', () => {
  it('tells options apart that a class has as getters', () => {
    class At {
      readonly #address: string
      constructor(address: string) {
        this.#address = address
      }
      get address(): string {
        return this.#address
      }
    }
    const [one, same, other] = [new At('https://one'), new At('https://one'), new At('https://other')]
    expect(identityOfObject(one)).toBe(identityOfObject(same))
    expect(identityOfObject(one)).not.toBe(identityOfObject(other))
  })

  it('is the same whether options, a class or the environment say it', () => {
    fc.assert(
      fc.property(sayings, ({ options, env }) => {
        const plain = identityOfVault(readVaultConfig(options, {}))
        expect(plain).toBeDefined()
        expect(identityOfVault(readVaultConfig(asClass(options), {}))).toBe(plain)
        expect(identityOfVault(readVaultConfig({}, env))).toBe(plain)
        expect(identityOfVault(readVaultConfig(options, env))).toBe(plain)
      }),
    )
  })

  it('is the same when, and only when, the same is said', () => {
    fc.assert(
      fc.property(sayings, sayings, (one, other) => {
        const [first, second] = [one, other].map(({ options }) =>
          identityOfVault(readVaultConfig(options, {})),
        )
        expect(first === second).toBe(one.said === other.said)
      }),
    )
  })

  it.each<[string, VaultOptions, VaultOptions]>([
    ['defaults', {}, { maxRetries: 2, timeoutMs: 60_000, circuitBreaker: { failures: 5 }, namespace: '' }],
    ['the burst that is the rate', { rateLimit: { rate: 3 } }, { rateLimit: { rate: 3, burst: 3 } }],
    ['spellings of an address', { address: 'https://vault' }, { address: ['HTTPS://Vault:443/'] }],
    ['what goes before the rest', { tls: { caCert: 'a' } }, { tls: { caCert: 'a', caPath: '/nowhere' } }],
  ])('does not depend on %s', (_name, one, other) => {
    expect(identity(one)).toBe(identity(other))
  })

  it.each<[string, VaultOptions, NodeJS.ProcessEnv?]>([
    ['the order of the addresses', { address: ['https://b', 'https://a'] }],
    ['redirects', { address: ['https://a', 'https://b'] }, { VAULT_DISABLE_REDIRECTS: 'true' }],
    ['the circuit breaker', { address: ['https://a', 'https://b'], circuitBreaker: { pauseMs: 1 } }],
    ['the login', { address: ['https://a', 'https://b'], auth: appRole({ roleId: 'r' }) }],
  ])('depends on %s', (_name, options, env) => {
    expect(identity(options, env)).not.toBe(identity({ address: ['https://a', 'https://b'] }))
  })

  it('does not depend on variables that say nothing of a Vault', () => {
    expect(identity({}, { VAULT_DB_ROLE: 'a', VAULT_FORMAT: 'json' })).toBe(identity({}))
  })

  it('cannot be known of a login of the caller’s own', () => {
    expect(identity({ auth: async () => 't' })).toBeUndefined()
  })

  it('holds no secret, nor what a short one could be guessed by outside of the process', async () => {
    const auth = userpass({ username: 'u', password: 'short' })
    const made = JSON.stringify([auth.identity, identity({ auth, proxy: 'http://u:short@proxy' })])
    expect(made).toMatch(/^\["[0-9a-f]{64}","[0-9a-f]{64}"\]$/)
    vi.resetModules()
    const elsewhere = await import('../../src/vault/auth/identity.ts')
    expect(elsewhere.identityOf('short')).toBe(elsewhere.identityOf('short'))
    expect(elsewhere.identityOf('short')).not.toBe(identityOf('short'))
  })
})

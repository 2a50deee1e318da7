import { describe, expect, it } from 'vitest'
import { InvalidOptionError } from '../../src/errors.ts'
import { readEnvironment, type VaultEnvironment } from '../../src/vault/environment.ts'

describe('the VAULT_* variables', () => {
  const table: [NodeJS.ProcessEnv, VaultEnvironment][] = [
    [{}, {}],
    [{ VAULT_ADDR: 'https://vault:8200' }, { address: 'https://vault:8200' }],
    [
      { VAULT_ADDR: 'https://vault', VAULT_AGENT_ADDR: 'http://agent' },
      { address: 'http://agent', behindAgent: true },
    ],
    [{ VAULT_ADDR: 'https://vault', VAULT_AGENT_ADDR: '' }, { address: 'https://vault' }],
    [{ VAULT_TOKEN: ' hvs.token\n' }, { token: 'hvs.token' }],
    [{ VAULT_NAMESPACE: 'team/a' }, { namespace: 'team/a' }],
    [{ VAULT_CACERT: '/ca.pem' }, { caCertFile: '/ca.pem' }],
    [{ VAULT_CACERT_BYTES: 'PEM' }, { caCert: 'PEM' }],
    [{ VAULT_CACERT: '/ca.pem', VAULT_CACERT_BYTES: 'PEM' }, { caCertFile: '/ca.pem' }],
    [{ VAULT_CAPATH: '/certs' }, { caPath: '/certs' }],
    [{ VAULT_CLIENT_CERT: '/cert.pem' }, { clientCertFile: '/cert.pem' }],
    [{ VAULT_CLIENT_KEY: '/key.pem' }, { clientKeyFile: '/key.pem' }],
    [{ VAULT_TLS_SERVER_NAME: 'vault.internal' }, { serverName: 'vault.internal' }],
    [{ VAULT_SKIP_VERIFY: 'true' }, { skipVerify: true }],
    [{ VAULT_SKIP_VERIFY: '1' }, { skipVerify: true }],
    [{ VAULT_SKIP_VERIFY: 'T' }, { skipVerify: true }],
    [{ VAULT_SKIP_VERIFY: 'false' }, { skipVerify: false }],
    [{ VAULT_SKIP_VERIFY: '0' }, { skipVerify: false }],
    [{ VAULT_SKIP_VERIFY: '' }, {}],
    [{ VAULT_HTTP_PROXY: 'http://one' }, { proxy: 'http://one' }],
    [{ VAULT_HTTP_PROXY: 'http://one', VAULT_PROXY_ADDR: 'http://two' }, { proxy: 'http://two' }],
    [{ HTTP_PROXY: 'http://one', HTTPS_PROXY: 'http://one', http_proxy: 'http://one' }, {}],
    [{ VAULT_CLIENT_TIMEOUT: '30' }, { timeoutMs: 30_000 }],
    [{ VAULT_CLIENT_TIMEOUT: '30s' }, { timeoutMs: 30_000 }],
    [{ VAULT_CLIENT_TIMEOUT: '1m30s' }, { timeoutMs: 90_000 }],
    [{ VAULT_CLIENT_TIMEOUT: '1.5h' }, { timeoutMs: 5_400_000 }],
    [{ VAULT_CLIENT_TIMEOUT: '250ms' }, { timeoutMs: 250 }],
    [{ VAULT_CLIENT_TIMEOUT: '0' }, {}],
    [{ VAULT_CLIENT_TIMEOUT: '0s' }, {}],
    [{ VAULT_MAX_RETRIES: '5' }, { maxRetries: 5 }],
    [{ VAULT_RATE_LIMIT: '10' }, { rateLimit: { rate: 10 } }],
    [{ VAULT_RATE_LIMIT: '0.5:3' }, { rateLimit: { rate: 0.5, burst: 3 } }],
    [{ HOME: '/home/app' }, { home: '/home/app' }],
    [{ VAULT_MAX_RETRIES: '0' }, { maxRetries: 0 }],
    [{ VAULT_DISABLE_REDIRECTS: 'true' }, { followRedirects: false }],
    [{ VAULT_DISABLE_REDIRECTS: 'false' }, { followRedirects: true }],
  ]
  it.each(table)('%j says %j', (env, said) => {
    expect(readEnvironment(env)).toEqual(said)
  })

  it.each([
    ['VAULT_SKIP_VERIFY', 'no-thanks'],
    ['VAULT_SKIP_VERIFY', 'yes'],
    ['VAULT_DISABLE_REDIRECTS', 'sometimes'],
    ['VAULT_CLIENT_TIMEOUT', 'soon'],
    ['VAULT_CLIENT_TIMEOUT', '-5'],
    ['VAULT_CLIENT_TIMEOUT', '5 parsecs'],
    ['VAULT_CLIENT_TIMEOUT', '1m30'],
    ['VAULT_MAX_RETRIES', '-1'],
    ['VAULT_MAX_RETRIES', '1.5'],
    ['VAULT_MAX_RETRIES', 'many'],
  ])('%s=%s cannot be read, and the error names the variable without its value', (name, value) => {
    const read = (): unknown => readEnvironment({ [name]: value })
    expect(read).toThrow(InvalidOptionError)
    expect(read).toThrow(name)
    expect(read).not.toThrow(value)
  })
})

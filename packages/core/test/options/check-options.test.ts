import { describe, expect, it } from 'vitest'
import { InvalidOptionError } from '../../src/errors.ts'
import { createLeaseOn } from '../../src/lease/create-lease.ts'
import { nearestName } from '../../src/options/check-options.ts'
import { systemClock } from '../../src/resilience/clock.ts'
import { appRole } from '../../src/vault/auth/approle.ts'
import { cert } from '../../src/vault/auth/cert.ts'
import { jwt } from '../../src/vault/auth/jwt.ts'
import { kubernetes } from '../../src/vault/auth/kubernetes.ts'
import { token } from '../../src/vault/auth/token.ts'
import { tokenFile } from '../../src/vault/auth/token-file.ts'
import { userpass } from '../../src/vault/auth/userpass.ts'
import { createVaultOn } from '../../src/vault/create-vault.ts'
import { readVaultConfig } from '../../src/vault/vault-config.ts'
import { shown } from '../secrets.ts'

const secret = 'hvs.NeverPrintThis'
const vault = (options: object, env: NodeJS.ProcessEnv = {}): unknown =>
  createVaultOn(readVaultConfig(options && { auth: token('t'), ...options }, env), {
    clock: systemClock,
    random: Math.random,
  })
const lease = (options: object, env: NodeJS.ProcessEnv = { VAULT_TOKEN: 't' }): unknown =>
  createLeaseOn({ role: 'app', ...options }, { clock: systemClock, env, random: Math.random })

describe('options', () => {
  it.each([
    ['address', () => vault({ adress: secret })],
    ['namespace', () => vault({ namespcae: secret })],
    ['circuitBreaker', () => vault({ circuitBraker: secret })],
    ['pauseMs', () => vault({ circuitBreaker: { pausMs: secret } })],
    ['serverName', () => vault({ tls: { servername: secret } })],
    ['skipVerify', () => vault({ tls: { skipVerfy: secret } })],
    ['role', () => lease({ rol: secret })],
    ['drainTimeoutMs', () => lease({ rotation: { drainTimeoutMS: secret } })],
    ['drainTimeoutMs', () => lease({ rotation: { drainTimoutMs: secret } })],
  ])('a misspelt one is an error that names "%s" and shows no value', (meant, make) => {
    const error = thrownBy(make)
    expect(error).toBeInstanceOf(InvalidOptionError)
    expect(error.message).toContain(`did you mean "${meant}"?`)
    expect(shown(error)).not.toContain(secret)
  })

  it.each([
    ['address', () => vault({ address: secret })],
    ['address', () => vault({ address: `ftp://${secret}` })],
    ['address', () => vault({ address: `https://user:${secret}@vault` })],
    ['proxy', () => vault({ proxy: secret })],
    ['proxy', () => vault({ proxy: `socks5://user:${secret}@proxy` })],
    ['timeoutMs', () => vault({ timeoutMs: secret })],
    ['timeoutMs', () => vault({ timeoutMs: 0 })],
    ['timeoutMs', () => vault({ timeoutMs: Number.NaN })],
    ['maxRetries', () => vault({ maxRetries: -1 })],
    ['tls.skipVerify', () => vault({ tls: { skipVerify: secret } })],
    ['auth', () => vault({ auth: secret })],
    ['address', () => vault({ address: ['https://vault', secret] })],
    ['address', () => vault({ address: [] })],
    ['address', () => vault({ address: `unix://${secret}` })],
    ['circuitBreaker.failures', () => vault({ circuitBreaker: { failures: 0 } })],
    ['rateLimit.rate', () => vault({ rateLimit: { rate: secret } })],
    ['drainTimeoutMs', () => lease({ rotation: { drainTimeoutMs: secret } })],
    ['role', () => lease({ role: 7 })],
    ['staticRole', () => lease({ staticRole: 's', role: 'r' })],
    ['credentialFile', () => lease({ role: undefined, credentialFile: '' })],
    ['credential', () => lease({ role: undefined, credential: secret })],
    ['vault', () => lease({ role: undefined, credentialFile: 'f', vault: {} })],
    ['shared', () => lease({ shared: secret })],
    ['token', () => vault({ auth: token(`${secret}\n`) })],
    ['roleId', () => vault({ auth: appRole({ roleId: '', secretId: secret }) })],
    ['secretIdFile', () => vault({ auth: appRole({ roleId: 'r', secretId: secret, secretIdFile: 'f' }) })],
    ['token', () => vault({ auth: token(undefined as never) })],
    ['token', () => vault({ auth: token(7 as never) })],
    ['tokenFile', () => vault({ auth: tokenFile(undefined as never) })],
    ['appRole', () => vault({ auth: appRole(undefined as never) })],
    ['secretId', () => vault({ auth: appRole({ roleId: 'r', secretID: secret } as never) })],
    ['role', () => vault({ auth: kubernetes({ role: '' }) })],
    ['jwt', () => vault({ auth: jwt({ jwt: secret as never }) })],
    ['username', () => vault({ auth: userpass({ username: '../joe', password: secret }) })],
    ['mount', () => vault({ auth: cert({ mount: 7 as never }) })],
    ['address', () => vault({ address: `https://vault/v1/?${secret}` })],
    ['address', () => vault({ address: 'https://vault/v1/' })],
    ['address', () => vault({ address: new URL(`https://vault/${secret}`) })],
    ['namespace', () => vault({ namespace: `${secret}\n` })],
    ['maxRetries', () => vault({ maxRetries: 1.5 })],
    ['vault.*an object', () => vault(null as never)],
    ['clientKeyFile', () => vault({ tls: { clientCertFile: secret } })],
    ['clientCertFile', () => vault({ tls: { clientKeyFile: secret } })],
    ['clientCertFile', () => vault({}, { VAULT_CLIENT_KEY: secret })],
    ['caCertFile', () => vault({ tls: { caCertFile: '/nowhere' } })],
  ])('a wrong value of %s is an error that names it and shows no value', (name, make) => {
    const error = thrownBy(make)
    expect(error).toBeInstanceOf(InvalidOptionError)
    expect(error.message).toMatch(new RegExp(name, 'i'))
    expect(shown(error)).not.toContain(secret)
  })

  it.each(['user', 'password', 'token'])('"%s" is no option of a lease', (key) => {
    const error = thrownBy(() => lease({ [key]: secret }))
    expect(error).toBeInstanceOf(InvalidOptionError)
    expect(error.message).toContain(`"${key}" is not an option`)
    expect(shown(error)).not.toContain(secret)
  })

  it.each([null, 'role', 7, []])('%j are no options', (options) => {
    const make = (): unknown =>
      createLeaseOn(options as never, { clock: systemClock, env: {}, random: Math.random })
    expect(make).toThrow(InvalidOptionError)
  })

  it('without a token or a role, the error says where they could come from', () => {
    expect(() => lease({}, {})).toThrow(/VAULT_TOKEN.*auth/)
    expect(() => lease({ role: undefined })).toThrow(/"role".*VAULT_DB_ROLE/)
  })

  it('the environment answers for what is not given', () => {
    const env = { VAULT_TOKEN: 't', VAULT_DB_ROLE: 'env-role', VAULT_DB_MOUNT: 'team/db' }
    const source = (options: object) =>
      createLeaseOn(options, { clock: systemClock, env, random: Math.random }).status().source
    expect(source({})).toBe('team/db/creds/env-role')
    expect(source({ role: 'own', mount: 'own' })).toBe('own/creds/own')
  })
})

describe('nearestName', () => {
  it.each([
    ['rolr', 'role'],
    ['ROLE', 'role'],
    ['mont', 'mount'],
    ['valut', 'vault'],
    ['host', undefined],
    ['max', undefined],
    ['database', undefined],
  ])('%s → %s', (word, nearest) => {
    expect(nearestName(word, ['role', 'mount', 'vault', 'rotation'])).toBe(nearest)
  })
})

function thrownBy(make: () => unknown): Error {
  try {
    make()
  } catch (error) {
    if (error instanceof Error) return error
  }
  throw new Error('nothing was thrown')
}

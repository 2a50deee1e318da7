import { inspect } from 'node:util'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import * as here from '../src/index.ts'
import { type Servers, startServers } from './servers.ts'

/** The library loaded once more, as where two packages each have their own, or one imports it and another requires it. */
async function anotherCopy(): Promise<typeof here> {
  vi.resetModules()
  const copy = await import('../src/index.ts')
  expect(copy.createVault).not.toBe(here.createVault)
  return copy
}

const classes = {
  VaultLeaseError: here.VaultLeaseError,
  VaultError: here.VaultError,
  InvalidOptionError: here.InvalidOptionError,
  CredentialsUnavailableError: here.CredentialsUnavailableError,
  LeaseClosedError: here.LeaseClosedError,
  CredentialSourceError: here.CredentialSourceError,
  CredentialNotProvenError: here.CredentialNotProvenError,
  ConnectionRetiredError: here.ConnectionRetiredError,
}
type ErrorName = keyof typeof classes

describe('an error of another copy of the library', () => {
  it('covers every class of errors', () => {
    expect(Object.keys(classes).sort()).toEqual(
      Object.keys(here)
        .filter((name) => name.endsWith('Error'))
        .sort(),
    )
  })

  it.each([
    new here.InvalidOptionError('no'),
    new here.CredentialsUnavailableError('no'),
    new here.LeaseClosedError('no'),
    new here.CredentialSourceError('no'),
    new here.CredentialNotProvenError('no', { refused: true }),
    new here.ConnectionRetiredError('no'),
    new here.VaultError('no', { code: 'ERR_VAULT_SEALED' }),
  ])('is one of its class, and of the base, and of no other: $name', async (error) => {
    const copy = await anotherCopy()
    const names = Object.keys(classes).filter((name) => error instanceof copy[name as ErrorName])
    expect(names).toEqual(['VaultLeaseError', error.name])
    expect(Object.keys(classes).filter((name) => error instanceof classes[name as ErrorName])).toEqual(names)
  })

  it('may be of a class that somebody has derived, which is itself only', async () => {
    const copy = await anotherCopy()
    class Mine extends here.VaultError {}
    class Yours extends copy.VaultError {}
    const facts = { code: 'ERR_VAULT_SEALED' } as const
    const [mine, yours] = [new Mine('no', facts), new Yours('no', facts)]
    expect(mine).toBeInstanceOf(Mine)
    expect(mine).toBeInstanceOf(copy.VaultError)
    expect(yours).toBeInstanceOf(here.VaultLeaseError)
    expect(yours).not.toBeInstanceOf(Mine)
    expect(new here.VaultError('no', facts)).not.toBeInstanceOf(Mine)
    expect(new here.VaultError('no', facts)).not.toBeInstanceOf(Yours)
  })

  it.each<[string, unknown]>([
    [
      'an error with the same properties',
      Object.assign(new Error('no'), { name: 'VaultError', code: 'ERR_VAULT_SEALED', retryable: true }),
    ],
    [
      'an object with the brand, but no error',
      { [Symbol.for('vault-lease.error')]: 'VaultError', message: 'no' },
    ],
    [
      'an object of a class with the brand',
      Object.create({ [Symbol.for('vault-lease.error')]: 'VaultError' }),
    ],
    ['nothing', undefined],
    ['null', null],
    ['a text', 'VaultError'],
  ])('is not %s', (_name, value) => {
    expect(value instanceof here.VaultError).toBe(false)
    expect(value instanceof here.VaultLeaseError).toBe(false)
  })

  it('shows nothing of how it is known', () => {
    expect(inspect(new here.LeaseClosedError('no'))).not.toContain('vault-lease.error')
  })
})

describe('a Vault of another copy of the library', () => {
  let servers: Servers
  beforeAll(async () => {
    servers = await startServers()
  })
  afterAll(() => servers?.[Symbol.asyncDispose]())

  it('carries leases as one of this copy does, and they share its token', async () => {
    const copy = await anotherCopy()
    const auth = copy.token(await servers.engine.createToken())
    await using vault = copy.createVault({ address: servers.vault.address, auth })
    const [one, same] = [here.createLease({ role: 'app', vault }), here.createLease({ role: 'app', vault })]
    const { username } = await one.credential()
    expect((await same.credential()).username).toBe(username)
    expect(await servers.engine.users()).toEqual([username])
    await one.close()
    await same.close()
    expect(await servers.engine.users()).toEqual([])
  })

  it('that does not fit this one is an error that says what to do', () => {
    const vault = { address: 'http://vault', [Symbol.for('vault-lease.Vault')]: 0 }
    const make = (): unknown => here.createLease({ role: 'app', vault })
    expect(make).toThrow(here.InvalidOptionError)
    expect(make).toThrow(/another version.*npm ls @vault-lease\/core/)
  })

  it('is not what only looks like one', () => {
    const vault = { address: 'http://vault', circuit: 'closed', close: async () => {} }
    expect(() => here.createLease({ role: 'app', vault })).toThrow(/"circuit" is not an option/)
  })
})

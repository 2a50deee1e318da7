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

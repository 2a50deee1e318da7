import { afterEach, describe, expect, it, vi } from 'vitest'
import { InvalidOptionError } from '../src/errors.ts'
import { type AdapterOptions, takeLease } from '../src/take-lease.ts'
import { token } from '../src/vault/auth/token.ts'
import { rejection, shown } from './secrets.ts'
import { leaseOf } from './servers.ts'

const secret = 'NeverPrintThis'
const driverKeys = ['host', 'max', 'rol', 'mounts']
const vault = { address: 'http://127.0.0.1:1', auth: token('t') }
const take = (options: AdapterOptions & Record<string, unknown>) => takeLease(options, driverKeys)

describe('takeLease', () => {
  afterEach(() => vi.unstubAllEnvs())

  it('gives the driver everything that is not ours, and makes a lease that the adapter owns', async () => {
    const { open, driver } = take({ role: 'app', mount: 'db', vault, host: 'h', max: 5, unheardOf: 1 })
    expect(driver).toEqual({ host: 'h', max: 5, unheardOf: 1 })
    const { lease, owned } = open()
    expect(owned).toBe(true)
    expect(lease.status().source).toBe('db/creds/app')
    await lease.close()
  })

  it("takes the caller's lease and leaves its end to the caller", async () => {
    await using lease = leaseOf({ vault })
    const { open, driver } = take({ lease, host: 'h' })
    expect(open()).toEqual({ lease, owned: false })
    expect(driver).toEqual({ host: 'h' })
  })

  it.each(['role', 'mount', 'vault', 'rotation'])('a lease and "%s" are one too many', async (key) => {
    await using lease = leaseOf({ vault })
    expect(() => take({ lease, [key]: key === 'vault' ? vault : 'x' })).toThrow(
      `Give either "lease" or "${key}"`,
    )
  })

  it.each(['user', 'username', 'password'])('"%s" is refused: Vault gives it', (key) => {
    const make = (): unknown => take({ role: 'app', vault, [key]: secret })
    expect(make).toThrow(InvalidOptionError)
    expect(make).toThrow(`Leave out "${key}"`)
    expect(make).not.toThrow(secret)
  })

  it.each([
    ['rolle', 'role'],
    ['moutn', 'mount'],
    ['valt', 'vault'],
    ['rotatoin', 'rotation'],
    ['laese', 'lease'],
  ])('"%s" is an error that names "%s"', (key, meant) => {
    const make = (): unknown => take({ role: 'app', vault, [key]: secret })
    expect(make).toThrow(`"${key}" is not an option, did you mean "${meant}"?`)
    expect(make).not.toThrow(secret)
  })

  it.each(['rol', 'mounts'])('the driver\'s own "%s" is the driver\'s, however near to ours', (key) => {
    expect(take({ role: 'app', vault, [key]: 1 }).driver).toEqual({ [key]: 1 })
  })

  it('what can be known to be wrong is told before anything is opened', async () => {
    vi.stubEnv('VAULT_DB_ROLE', undefined)
    expect(() => take({ vault })).toThrow(/VAULT_DB_ROLE/)
    expect(() => take({ role: 'a/b', vault })).toThrow(InvalidOptionError)
    expect(() => take({ role: 'app', vault, rotation: { drainTimeoutMs: -1 } })).toThrow(InvalidOptionError)
    const notALease = { lease: { password: secret } as never }
    const error = await rejection((async () => take(notALease))())
    expect(error).toBeInstanceOf(InvalidOptionError)
    expect(shown(error)).not.toContain(secret)
  })
})

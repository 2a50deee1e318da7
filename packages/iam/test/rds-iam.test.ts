import { Signer } from '@aws-sdk/rds-signer'
import { createLease } from '@vault-lease/core'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { type RdsIamOptions, rdsIam } from '../src/index.ts'

const hostname = 'app.abcdefghijkl.eu-central-1.rds.amazonaws.com'
const credentials = {
  accessKeyId: 'AKIDEXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
}
const options: RdsIamOptions = { hostname, username: 'app', region: 'eu-central-1', credentials }
const { signal } = new AbortController()

describe('rdsIam()', () => {
  afterEach(() => {
    vi.useRealTimers()
  })

  it('signs what the AWS SDK signs, for fifteen minutes', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: new Date('2026-11-29T12:00:00.700Z') })
    const given = await rdsIam({ ...options, port: 6432 })({ signal })
    const password = await new Signer({ ...options, port: 6432 }).getAuthToken()
    expect(given).toEqual({ username: 'app', password, expiresAt: new Date('2026-11-29T12:15:00Z') })
    expect(password).toMatch(new RegExp(`^${hostname}:6432/\\?Action=connect&DBUser=app&.*X-Amz-Signature=`))
  })

  it('signs for the port of PostgreSQL unless it is told another', async () => {
    const { password } = await rdsIam(options)({ signal })
    expect(password.startsWith(`${hostname}:5432/`)).toBe(true)
  })

  it('asks for credentials that change each time it signs', async () => {
    const ids = ['AKIDFIRST', 'AKIDSECOND']
    const give = rdsIam({
      ...options,
      credentials: async () => ({ ...credentials, accessKeyId: ids.shift() ?? '' }),
    })
    expect((await give({ signal })).password).toContain('AKIDFIRST')
    expect((await give({ signal })).password).toContain('AKIDSECOND')
  })

  it('says what AWS says when nothing can sign, and never what it would have signed with', async () => {
    const give = rdsIam({
      ...options,
      credentials: async () => {
        throw new Error(`no role for ${hostname}`)
      },
    })
    const lease = createLease({ credential: give })
    await expect(lease.credential()).rejects.toMatchObject({
      code: 'ERR_CREDENTIALS_UNAVAILABLE',
      cause: { code: 'ERR_CREDENTIAL_SOURCE', cause: { message: `no role for ${hostname}` } },
    })
    await lease.close()
  })

  it.each([
    [{ ...options, username: '' }, '"username" is needed'],
    [{ ...options, hostname: undefined }, '"hostname" is needed'],
    [{ ...options, regoin: 'eu-central-1' }, 'did you mean "region"'],
    [null, 'have to be an object'],
  ])('refuses %o', (wrong, message) => {
    expect(() => rdsIam(wrong as RdsIamOptions)).toThrow(message)
  })
})

import { describe, expect, it } from 'vitest'
import { token, VaultMongoClient, type VaultMongoClientOptions } from '../src/index.ts'

const address = 'mongodb://127.0.0.1:1/app'
const role = 'app'
const vault = { address: 'http://127.0.0.1:1', auth: token('a-token') }

const failureOf = (uri: string, options: object): unknown => {
  try {
    void new VaultMongoClient(uri, options as VaultMongoClientOptions).close()
    return undefined
  } catch (error) {
    return error
  }
}

describe('the options of VaultMongoClient', () => {
  it.each([
    ['a user in the address', 'mongodb://me:secret@127.0.0.1/app', { role }, 'out of the address'],
    ['a user in an address of several hosts', 'mongodb://me@a:1,b:2/app', { role }, 'out of the address'],
    ['a user in an address by DNS', 'mongodb+srv://me:secret@db.example.com', { role }, 'out of the address'],
    ['"auth"', address, { role, auth: { username: 'me', password: 'secret' } }, 'Leave out "auth"'],
    ['"user"', address, { role, user: 'me' }, 'Leave out "user"'],
    ['"password"', address, { role, password: 'secret' }, 'Leave out "password"'],
    ['a misspelt option', address, { roel: role }, 'did you mean "role"'],
    ['no role', address, {}, 'role'],
    ['a lease that is none', address, { lease: {} }, '"lease"'],
    ['no address', undefined as unknown as string, { role }, 'Which server?'],
  ])('refuse %s before anything is sent, without telling secrets', (_what, uri, options, message) => {
    const error = failureOf(uri, options)
    expect(error).toMatchObject({ code: 'ERR_INVALID_OPTION', message: expect.stringContaining(message) })
    expect(`${error}`).not.toContain('secret')
  })

  it.each([
    ['an address that is none', 'http://127.0.0.1', { role }, 'Invalid scheme'],
    ['an option that does not exist', address, { role, maxPoolSise: 3 }, 'maxpoolsise is not supported'],
    ['a wrong value', address, { role, maxPoolSize: -1 }, 'maxPoolSize'],
  ])('leave to the driver what is its own: %s', (_what, uri, options, message) => {
    expect(failureOf(uri, options)).toMatchObject({ message: expect.stringContaining(message) })
  })

  it('do not change the object that they are given in', async () => {
    const options = Object.freeze({ role, vault, maxPoolSize: 3 })
    const client = new VaultMongoClient(address, options)
    expect(client.options.maxPoolSize).toBe(3)
    await client.close()
  })

  it('tell an unreachable Vault by its own code, as soon as that is known', async () => {
    const client = new VaultMongoClient(address, { role, vault })
    const failure = await client
      .db()
      .collection('items')
      .findOne()
      .catch((error: unknown) => error)
    expect(failure).toMatchObject({
      code: 'ERR_CREDENTIALS_UNAVAILABLE',
      cause: { code: 'ERR_VAULT_UNREACHABLE' },
    })
    await client.close()
  })
})

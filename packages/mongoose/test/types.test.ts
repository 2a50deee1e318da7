import mongoose, { type Connection, type ConnectOptions, type Mongoose } from 'mongoose'
import { describe, expect, expectTypeOf, it } from 'vitest'
import { type LeaseManager, type VaultConnectOptions, vaultConnect } from '../src/index.ts'

/** What compiles and what does not is checked by `npm run check`. */
describe('the types of vaultConnect()', () => {
  const uri = 'mongodb://127.0.0.1:1/app'

  it('give back what was connected', () => {
    expectTypeOf(() => vaultConnect(mongoose, uri)).returns.resolves.toEqualTypeOf<typeof mongoose>()
    expectTypeOf(() => vaultConnect(new mongoose.Mongoose(), uri)).returns.resolves.toEqualTypeOf<Mongoose>()
    expectTypeOf(() =>
      vaultConnect(mongoose.createConnection(), uri),
    ).returns.resolves.toEqualTypeOf<Connection>()
  })

  it('take the options of Mongoose and of the driver but the login', () => {
    expectTypeOf<VaultConnectOptions['autoIndex']>().toEqualTypeOf<ConnectOptions['autoIndex']>()
    expectTypeOf<VaultConnectOptions['dbName']>().toEqualTypeOf<ConnectOptions['dbName']>()
    expectTypeOf<VaultConnectOptions['maxPoolSize']>().toEqualTypeOf<ConnectOptions['maxPoolSize']>()
    expectTypeOf<VaultConnectOptions['tls']>().toEqualTypeOf<ConnectOptions['tls']>()
    expectTypeOf<VaultConnectOptions['bufferTimeoutMS']>().toEqualTypeOf<number | undefined>()
    expectTypeOf<VaultConnectOptions['lease']>().toEqualTypeOf<LeaseManager | undefined>()
    // @ts-expect-error: it is "role"
    const misspelt: VaultConnectOptions = { roel: 'app' }
    // @ts-expect-error: Vault gives it
    const withUser: VaultConnectOptions = { user: 'me' }
    // @ts-expect-error: Vault gives it
    const withPassword: VaultConnectOptions = { pass: 'secret' }
    // @ts-expect-error: Vault gives it
    const withAuth: VaultConnectOptions = { auth: { username: 'me' } }
    expect([misspelt, withUser, withPassword, withAuth]).toHaveLength(4)
  })

  it('do not compile in a call with something else either', async () => {
    // @ts-expect-error: what is to be connected comes first
    await expect(vaultConnect(uri, { role: 'app' })).rejects.toThrow('Give mongoose first')
    // @ts-expect-error: it is "role"
    await expect(vaultConnect(new mongoose.Mongoose(), uri, { roel: 'app' })).rejects.toThrow('mean "role"')
  })
})

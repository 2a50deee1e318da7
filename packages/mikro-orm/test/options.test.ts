import { MikroORM, PostgreSqlDriver } from '@mikro-orm/postgresql'
import { describe, expect, it } from 'vitest'
import { type VaultMikroOrmOptions, vaultMikroOrm } from '../src/index.ts'
import { Items } from './servers.ts'

const driver = PostgreSqlDriver
const fine = { driver, role: 'app', dbName: 'app', entities: [Items], logger: () => {} }

describe('the options of vaultMikroOrm()', () => {
  it.each<[string, object, RegExp]>([
    ['a misspelt role', { roel: 'app' }, /did you mean "role"/],
    ['a user', { user: 'me' }, /Leave out "user"/],
    ['a password', { password: () => 'secret' }, /Leave out "password"/],
    [
      'a user in the URL',
      { clientUrl: 'postgresql://me:@db/app' },
      /Leave the user and the password out of "clientUrl"/,
    ],
    [
      'a user of a replica',
      { replicas: [{ user: 'me' }] },
      /Leave the user and the password out of "clientUrl"/,
    ],
    ['no driver', { driver: undefined }, /Which driver\?/],
    ['a setRole of no name', { setRole: 'none' }, /"setRole" takes the name of a role/],
  ])('may not be %s', (_name, options, message) => {
    expect(() => vaultMikroOrm({ ...fine, ...options } as VaultMikroOrmOptions)).toThrow(message)
  })

  it('may not have a connection of their own', () => {
    const options = vaultMikroOrm({ ...fine, connect: false, driverOptions: { connection: () => ({}) } })
    const orm = MikroORM.initSync(options)
    expect(() => orm.em.getKnex()).toThrow(/Leave "connection" out of "driverOptions"/)
  })

  it("keep the driver's name, by which Nest's module finds its package", () => {
    expect(vaultMikroOrm(fine).driver?.name).toBe('PostgreSqlDriver')
  })

  it('leave everything else to MikroORM', () => {
    const { driver: _, ...others } = vaultMikroOrm({ ...fine, setRole: 'owner', pool: { max: 3 } })
    expect(others).toEqual({ dbName: 'app', entities: [Items], logger: fine.logger, pool: { max: 3 } })
  })
})

import { createLease } from '@vault-lease/core'
import mysql, { type Connection, type Pool } from 'mysql2'
import { describe, expect, it } from 'vitest'
import type { MySqlDriver, UnderlyingPool } from '../src/driver.ts'
import { leasedPool } from '../src/leased-pool.ts'
import { ask, failureOf } from './servers.ts'

const whole: MySqlDriver = mysql

/** mysql2, some of whose parts are other ones. */
const driverWith = (parts: object): MySqlDriver => Object.assign(Object.create(mysql), parts)

const driverWithPool = (change: (pool: Pool) => object): MySqlDriver =>
  driverWith({
    createPool(options: object) {
      const pool = mysql.createPool(options)
      return Object.assign(pool, change(pool))
    },
  })

const leaseOfOne = () => createLease({ credential: async () => ({ username: 'one', password: 'secret' }) })

const unsupported = {
  code: 'ERR_INVALID_OPTION',
  message: expect.stringContaining('This version of mysql2 is not supported'),
}

describe('mysql2', () => {
  it('is taken as it is', async () => {
    const pool = leasedPool(whole, { lease: leaseOfOne() })
    await pool.end()
  })

  it.each<[string, MySqlDriver]>([
    ['Connection', driverWith({ Connection: undefined })],
    [
      'addCommand of a connection',
      driverWith({ Connection: { ...mysql.Connection, prototype: { ...mysql.Connection.prototype } } }),
    ],
    [
      'onResult of a query',
      driverWith({ Connection: Object.assign(Object.create(mysql.Connection), { createQuery: () => ({}) }) }),
    ],
    ['_connectionQueue of a pool', driverWithPool(() => ({ _connectionQueue: undefined }))],
    ['_removeConnection of a pool', driverWithPool(() => ({ _removeConnection: undefined }))],
    ['_createConnectionConfig of a pool', driverWithPool(() => ({ _createConnectionConfig: undefined }))],
    ...['connectionLimit', 'queueLimit', 'waitForConnections', 'connectionConfig'].map(
      (name): [string, MySqlDriver] => [
        `config.${name} of a pool`,
        driverWithPool(({ config }) => ({ config: { ...config, [name]: undefined } })),
      ],
    ),
  ])('is refused at once without %s', (_name, driver) => {
    expect(() => leasedPool(driver, { lease: leaseOfOne() })).toThrow(expect.objectContaining(unsupported))
  })

  it('is refused by the first acquire when a connection does not keep its config', async () => {
    const driver = driverWith({
      createConnection(options: object) {
        const connection = mysql.createConnection(options)
        connection.on('error', () => {})
        return Object.assign(connection, { config: { ...connection.config } })
      },
    })
    // So that the pool has its user proven by a connection apart.
    const options = { lease: leaseOfOne(), host: '127.0.0.1', port: 1, resetOnRelease: true }
    const pool = leasedPool(driver, options)
    expect(await failureOf(ask(pool, 'select 1'))).toMatchObject({ cause: unsupported })
    await pool.end()
  })

  it('is refused by the first acquire when the first connection of the pool does not keep its config', async () => {
    const driver = driverWithPool((pool) => {
      const { _allConnections: all } = pool as unknown as Pick<UnderlyingPool, '_allConnections'>
      const peek = all.peekBack.bind(all)
      const withoutConfig = (newest: Connection | undefined) =>
        newest && Object.create(newest, { config: { value: {} } })
      return { _allConnections: Object.assign(all, { peekBack: () => withoutConfig(peek()) }) }
    })
    const pool = leasedPool(driver, { lease: leaseOfOne(), host: '127.0.0.1', port: 1 })
    expect(await failureOf(ask(pool, 'select 1'))).toMatchObject({ cause: unsupported })
    await pool.end()
  })
})

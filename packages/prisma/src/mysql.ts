import type { PrismaMariaDb } from '@prisma/adapter-mariadb'
import type { SqlDriverAdapterFactory } from '@prisma/driver-adapter-utils'
import { type AdapterOptions, InvalidOptionError, type LeaseManager } from '@vault-lease/core'
import { checkPlace, checkPoolSize, leadToLease, takeLease } from '@vault-lease/core/adapter'
import type { MariaDbDriver } from '@vault-lease/mariadb/adapter'
import { withLeaseErrors } from './lease-errors.ts'
import { LeasedPool } from './mariadb/leased-pool.ts'
import { poolOptionNames, poolOptions } from './mariadb/pool-options.ts'
import { type PoolDriver, prismaAdapterOver } from './mariadb/prisma-adapter.ts'
import { divide } from './options.ts'
import { loadPrismaAdapter } from './prisma-adapter.ts'

/** The options of @prisma/adapter-mariadb itself. */
export interface PrismaMariaDbOptions {
  /** Sends statements as text in place of preparing them. */
  readonly useTextProtocol?: boolean
  /** Hears the errors of connections that a transaction has. */
  readonly onConnectionError?: (error: Error) => void
}

type Pool = Extract<ConstructorParameters<typeof PrismaMariaDb>[0], { getConnection: unknown }>

/** The options of a pool of mariadb, in the version that Prisma's adapter brings. */
type PoolConfig = Exclude<ConstructorParameters<typeof PrismaMariaDb>[0], Pool | string>

type UnsupportedOption = keyof typeof unsupportedOptions

/** Where the lease comes from, the options of mariadb but the user and the password, and those of @prisma/adapter-mariadb. */
export type MySqlAdapterOptions = AdapterOptions &
  Omit<PoolConfig, 'user' | 'password' | UnsupportedOption> &
  PrismaMariaDbOptions & {
    /** As in the `datasource` of your schema: MySQL or MariaDB. */
    readonly provider: 'mysql'
    /** Milliseconds that an idle connection may take to answer before it is lent. Default: 250. The driver's types lack it. */
    readonly pingTimeout?: number
  }

/** Why there are none. */
const unsupportedOptions = {
  setRole: 'it is for PostgreSQL',
  stream: 'the pool opens the streams, to know when the server has closed them',
  minimumIdle: 'connections are opened as they are needed',
  leakDetectionTimeout: 'Prisma gives connections back by itself, and ends a transaction after its "timeout"',
} as const

const prismaOptionNames = [
  'useTextProtocol',
  'onConnectionError',
] as const satisfies readonly (keyof PrismaMariaDbOptions)[]

const adapterName = '@prisma/adapter-mariadb'

export function mysqlAdapter({ provider: _, ...options }: MySqlAdapterOptions): SqlDriverAdapterFactory {
  const url = ['connectionString', 'uri', 'url'].find((name) => Object.hasOwn(options, name))
  if (url) throw new InvalidOptionError(`Name "host", "port" and "database" in place of "${url}".`)
  const [prismaOptions, others] = divide(options, prismaOptionNames)
  const unsupported = Object.entries(unsupportedOptions).find(([name]) => Object.hasOwn(others, name))
  if (unsupported)
    throw new InvalidOptionError(`The option "${unsupported[0]}" is not supported: ${unsupported[1]}.`)
  // None of the driver's options is spelt nearly like one of ours.
  const { open, driver: driverOptions } = takeLease(others, [])
  const [ofPool, config] = divide(driverOptions, poolOptionNames)
  checkPlace(config)
  checkPoolSize('connectionLimit', ofPool.connectionLimit, 1)
  const { adapter, require } = loadPrismaAdapter<typeof import('@prisma/adapter-mariadb')>(adapterName)
  const driver = require('mariadb') as MariaDbDriver & PoolDriver
  let current: LeaseManager | undefined
  const factory: SqlDriverAdapterFactory = {
    provider: 'mysql',
    adapterName,
    async connect() {
      const { lease, owned: ownsLease } = open()
      current = lease
      const pool = new LeasedPool({
        driver,
        // As Prisma's adapter does with a pool of its own.
        config: { prepareCacheLength: 0, ...config },
        options: poolOptions(ofPool),
        lease,
        ownsLease,
      })
      return withLeaseErrors(await prismaAdapterOver(pool, adapter.PrismaMariaDb, driver, prismaOptions))
    },
  }
  leadToLease(factory, () => current)
  return factory
}

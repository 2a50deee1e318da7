import type { SqlDriverAdapterFactory, SqlQuery, SqlQueryable } from '@prisma/driver-adapter-utils'
import type { LeaseManager } from '@vault-lease/core'
import { leadToLease, takeLease } from '@vault-lease/core/adapter'
import {
  checkConnectionOptions,
  checkSetRole,
  pgOptionNames,
  type VaultPoolOptions,
  vaultPoolClass,
} from '@vault-lease/pg/adapter'
import type pg from 'pg'
import { withLeaseErrors } from './lease-errors.ts'
import { poolForTransactions } from './lost-connection.ts'
import { divide } from './options.ts'
import { loadPrismaAdapter } from './prisma-adapter.ts'

/** The options of @prisma/adapter-pg itself. */
export interface PrismaPgOptions {
  /** The schema of the tables, when it is not `public`. */
  readonly schema?: string
  /** Hears the errors of idle connections. */
  readonly onPoolError?: (error: Error) => void
  /** Hears the errors of connections that a transaction has. */
  readonly onConnectionError?: (error: Error) => void
  /** Reads the values of types that the database's users have defined. */
  readonly userDefinedTypeParser?: (oid: number, value: unknown, adapter: SqlQueryable) => Promise<unknown>
  /** Names statements, which are then prepared once for each connection. */
  readonly statementNameGenerator?: (query: SqlQuery) => string
}

/** Where the lease comes from, the options of pg.Pool but the user and the password, and those of @prisma/adapter-pg. */
export type PostgresAdapterOptions = VaultPoolOptions &
  PrismaPgOptions & {
    /** As in the `datasource` of your schema. */
    readonly provider: 'postgresql'
  }

const prismaOptionNames = [
  'schema',
  'onPoolError',
  'onConnectionError',
  'userDefinedTypeParser',
  'statementNameGenerator',
] as const satisfies readonly (keyof PrismaPgOptions)[]

const adapterName = '@prisma/adapter-pg'

export function postgresAdapter({
  provider: _,
  ...options
}: PostgresAdapterOptions): SqlDriverAdapterFactory {
  const [prismaOptions, poolOptions] = divide(options, prismaOptionNames)
  checkConnectionOptions(poolOptions)
  checkSetRole(poolOptions)
  takeLease(poolOptions, pgOptionNames)
  const { adapter, require } = loadPrismaAdapter<typeof import('@prisma/adapter-pg')>(adapterName)
  // Prisma tells a pool from options by its class, and there may be more than one copy of pg.
  const VaultPool = poolForTransactions(vaultPoolClass(require('pg') as typeof pg))
  let lease: LeaseManager | undefined
  const factory: SqlDriverAdapterFactory = {
    provider: 'postgres',
    adapterName,
    async connect() {
      const pool = new VaultPool(poolOptions)
      lease = pool.lease
      const overPool = new adapter.PrismaPg(pool, { ...prismaOptions, disposeExternalPool: true })
      return withLeaseErrors(await overPool.connect())
    },
  }
  leadToLease(factory, () => lease)
  return factory
}

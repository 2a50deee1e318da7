import { InvalidOptionError } from '@vault-lease/core'
import { leasedPool, type MySqlDriver, type VaultPool } from '@vault-lease/mysql2/adapter'
import type { PoolOptions } from 'mysql2'
import type { Driver } from 'typeorm'
import { givenOptions } from './given-options.ts'
import { type ClusterOptions, LeasedCluster } from './mysql-cluster.ts'
import { WatchedPool } from './mysql-pool.ts'
import type { OpenPoolsOn } from './rotation.ts'

/** TypeORM's MysqlDriver, which makes its pools by the functions of its member `mysql`. */
type MysqlDriver = Driver & { mysql: MySqlDriver }

/**
 * Prepares the driver of a DataSource: over its own copy of mysql2, or the one in the caller's option `driver`.
 *
 * @throws InvalidOptionError when this is not a driver that works the way this package needs.
 */
export function mysqlPools(driver: Driver): OpenPoolsOn {
  const mysqlDriver = asMysqlDriver(driver)
  const mysql2 = mysqlDriver.mysql
  return (session) => {
    const createPool = (options: PoolOptions): VaultPool => {
      const pool = leasedPool(mysql2, { ...givenOptions(options), lease: session.lease })
      session.add(new WatchedPool(pool))
      return pool
    }
    const createPoolCluster = (options?: ClusterOptions): LeasedCluster =>
      new LeasedCluster(createPool, options)
    mysqlDriver.mysql = Object.create(mysql2, {
      createPool: { value: createPool },
      createPoolCluster: { value: createPoolCluster },
    })
  }
}

function asMysqlDriver(driver: Driver): MysqlDriver {
  if (isMysqlDriver(driver)) return driver
  throw new InvalidOptionError(
    'TypeORM has to work with mysql2: its driver has no "mysql" with createPool, createConnection and a Connection. ' +
      'Install mysql2, look at the options "driver" and "connectorPackage", or upgrade @vault-lease/typeorm.',
  )
}

function isMysqlDriver(driver: Driver): driver is MysqlDriver {
  const { mysql } = driver as Partial<MysqlDriver>
  const needed = [mysql?.createPool, mysql?.createConnection, mysql?.Connection]
  return needed.every((each) => typeof each === 'function')
}

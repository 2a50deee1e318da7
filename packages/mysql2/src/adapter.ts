// For the packages that rotate mysql2 connections in a pool of another kind, or of another copy.
export { asMySqlConnection, type MySqlConnection, type MySqlDriver } from './driver.ts'
export { leasedDriver } from './leased-driver.ts'
export { leasedPool, type VaultPool, type VaultPoolOptions } from './leased-pool.ts'
export { checkConnectionOptions, mysqlOptionNames } from './options.ts'

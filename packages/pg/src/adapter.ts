// For the packages that rotate node-postgres connections in a pool of another kind, or of another copy.
export { cancelStatement } from './close.ts'
export { asPgClient, type ClientClass, type PgClient } from './driver.ts'
export { leasedDriver } from './leased-driver.ts'
export { checkConnectionOptions, pgOptionNames } from './options.ts'
export { type VaultPool, type VaultPoolClass, type VaultPoolOptions, vaultPoolClass } from './pool-class.ts'
export { checkSetRole, optionsWithRole, type SetRoleOptions } from './set-role.ts'

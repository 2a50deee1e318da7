// For the packages that rotate node-postgres connections in a pool of another kind, or of another copy.
export { cancelStatement, closeWhenIdle } from './close.ts'
export { PgConnections, type PgPlace } from './connections.ts'
export { asPgClient, type ClientClass, type PgClient } from './driver.ts'
export { leasedClient } from './leased-client.ts'
export { checkConnectionOptions, pgOptionNames, placeOf } from './options.ts'
export { type VaultPool, type VaultPoolClass, type VaultPoolOptions, vaultPoolClass } from './pool-class.ts'
export { checkSetRole, optionsWithRole, type SetRoleOptions } from './set-role.ts'

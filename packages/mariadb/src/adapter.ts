// For the packages that rotate connections of mariadb in a pool of their own, or of an ORM.
export { connectAgain } from './connect-again.ts'
export { closeWhenIdle, MariaDbConnections, type MariaDbDriver } from './connections.ts'
export { leasedDriver } from './leased-driver.ts'
export { checkConnectionOptions } from './options.ts'
export type { Method, Session } from './session.ts'

// What the adapters are made of. Everything else that they need is in index.ts.
export {
  endMySqlSession,
  isMySqlDenial,
  isMySqlRefusal,
  isMySqlUserGone,
  mysqlSessionOfUser,
} from './database/mysql.ts'
export { leadToLease } from './health/way-to-lease.ts'
export type { PoolAttachment } from './lease/attachment.ts'
export type { Consumer, PoolLoad, PoolUsage, Proof, Retired, RetireTerms } from './lease/consumer.ts'
export { attach } from './lease/manager.ts'
export { listenOn } from './listening/listening.ts'
export type { Hold } from './listening/listening-connection.ts'
export { nearestName } from './options/check-options.ts'
export { checkPlace, checkPoolSize, type Place } from './options/place.ts'
export { namesLogin } from './options/url.ts'
export { type CheckedOut, Checkout, type CheckoutHooks } from './pool/checkout.ts'
export {
  ClientPerGeneration,
  type ClientPerGenerationParts,
  type RetirableClient,
} from './pool/client-per-generation.ts'
export { endPool } from './pool/end-pool.ts'
export type { LeasedDriver } from './pool/leased-driver.ts'
export { notProven } from './pool/not-proven.ts'
export {
  type DriverHooks,
  type Fate,
  type PoolHooks,
  RotatingConnections,
} from './pool/rotating-connections.ts'
export { settlesWithin } from './pool/settles-within.ts'
export { type BorrowedConnections, ValidateOnBorrow } from './pool/validate-on-borrow.ts'
export { awaited, type Clock, deadlineAfter, pause, sleep, systemClock } from './resilience/clock.ts'
export { unlessAborted } from './resilience/settle.ts'
export { stoppable } from './resilience/stoppable.ts'
export { type TakenLease, takeLease } from './take-lease.ts'
export { apiPath } from './vault/path.ts'
export { type SessionAnswer, type VaultForLeases, vaultBehind } from './vault/vault-for-leases.ts'

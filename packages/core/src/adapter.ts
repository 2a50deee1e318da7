// What the adapters are made of. Everything else that they need is in index.ts.
export { type CheckedOut, Checkout, type CheckoutHooks } from './pool/checkout.ts'
export { notProven } from './pool/not-proven.ts'
export { type DriverHooks, type PoolHooks, RotatingConnections } from './pool/rotating-connections.ts'
export { serveQueue } from './pool/serve-queue.ts'
export { settlesWithin } from './pool/settles-within.ts'
export {
  endMySqlSession,
  isMySqlDenial,
  isMySqlRefusal,
  mysqlErrnoOf,
  mysqlSessionOfUser,
} from './server/mysql.ts'
export { checkPlace, checkPoolSize, type Place } from './server/place.ts'
export { namesLogin } from './server/url.ts'

// What the adapters are made of. Everything else that they need is in index.ts.
export { endMySqlSession, isMySqlDenial, isMySqlRefusal, mysqlSessionOfUser } from './database/mysql.ts'
export { checkPlace, checkPoolSize, type Place } from './options/place.ts'
export { namesLogin } from './options/url.ts'
export { type CheckedOut, Checkout, type CheckoutHooks } from './pool/checkout.ts'
export { notProven } from './pool/not-proven.ts'
export { type DriverHooks, type PoolHooks, RotatingConnections } from './pool/rotating-connections.ts'
export { serveQueue } from './pool/serve-queue.ts'
export { settlesWithin } from './pool/settles-within.ts'

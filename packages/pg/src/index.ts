export * from '@vault-lease/core'
export { listen, type Notification } from './listen.ts'
export { VaultPool } from './pool.ts'
export type { VaultPoolClass, VaultPoolOptions } from './pool-class.ts'

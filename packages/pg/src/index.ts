export * from '@vault-lease/core'
export { VaultPool } from './pool.ts'
export type { VaultPoolClass, VaultPoolOptions } from './pool-class.ts'

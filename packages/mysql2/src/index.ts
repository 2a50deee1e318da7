export * from '@vault-lease/core'
export { createPool, createPoolCluster } from './create-pool.ts'
export type { VaultPool, VaultPoolOptions } from './leased-pool.ts'

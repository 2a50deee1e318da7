export * from '@vault-lease/core'
export { VaultPool, type VaultPoolClass, type VaultPoolOptions } from './pool.ts'

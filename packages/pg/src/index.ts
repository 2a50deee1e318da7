export * from '@vault-lease/core'
export { VaultPool, type VaultPoolOptions } from './pool.ts'

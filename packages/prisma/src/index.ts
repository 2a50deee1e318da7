export * from '@vault-lease/core'
export { vaultLeaseErrorOf } from './lease-errors.ts'
export type { PostgresAdapterOptions } from './postgres.ts'
export { type VaultAdapterOptions, vaultAdapter } from './vault-adapter.ts'

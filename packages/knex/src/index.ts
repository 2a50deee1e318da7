export * from '@vault-lease/core'
export { type VaultConnection, type VaultConnectionOptions, vaultConnection } from './vault-connection.ts'

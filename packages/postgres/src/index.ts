export * from '@vault-lease/core'
export { listen, type Notification } from './listen.ts'
export { type VaultPostgresOptions, type VaultSql, vaultPostgres } from './vault-postgres.ts'

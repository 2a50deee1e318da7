export * from '@vault-lease/core'
export { type VaultPostgresOptions, type VaultSql, vaultPostgres } from './vault-postgres.ts'

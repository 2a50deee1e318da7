export * from '@vault-lease/core'
export type {
  VaultDataSourceOptions,
  VaultMongoOptions,
  VaultMySqlOptions,
  VaultPostgresOptions,
} from './options.ts'
export { vaultDataSource } from './vault-data-source.ts'

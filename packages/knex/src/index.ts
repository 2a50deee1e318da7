export * from '@vault-lease/core'
export {
  type VaultConnection,
  type VaultConnectionOptions,
  type VaultMySql2ConnectionOptions,
  type VaultPgConnectionOptions,
  vaultConnection,
} from './vault-connection.ts'

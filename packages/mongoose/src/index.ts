export * from '@vault-lease/core'
export type { VaultConnectOptions } from './options.ts'
export { vaultConnect } from './vault-connect.ts'

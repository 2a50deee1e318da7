export * from '@vault-lease/core'
export { VaultMongoClient } from './client.ts'
export type { VaultMongoClientClass } from './client-class.ts'
export type { VaultMongoClientOptions } from './options.ts'

export * from '@vault-lease/core'
export type { VaultRedisOptions } from './options.ts'
export { type OnLease, vaultRedis } from './vault-redis.ts'

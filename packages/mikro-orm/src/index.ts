export * from '@vault-lease/core'
export type { VaultMikroOrmOptions } from './options.ts'
export { vaultMikroOrm } from './vault-mikro-orm.ts'

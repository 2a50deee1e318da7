export * from '@vault-lease/core'
export type { VaultSequelizeOptions } from './options.ts'
export { vaultSequelize } from './vault-sequelize.ts'

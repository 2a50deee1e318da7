import { vaultDatabaseUrl } from '@vault-lease/prisma'
import { defineConfig } from 'prisma/config'
import { place } from './src/place.ts'
import { vault } from './src/vault.ts'

/** `prisma generate` needs neither a database nor Vault. */
const url = process.argv.includes('generate')
  ? undefined
  : await vaultDatabaseUrl({ provider: 'mysql', vault: vault(), ...place })

export default defineConfig({ schema: 'prisma/schema.prisma', ...(url && { datasource: { url } }) })

import { vaultDatabaseUrl } from '@vault-lease/prisma'
import { defineConfig } from 'prisma/config'
import { vault } from './src/vault.ts'

const [, , command = ''] = process.argv

/** Only these connect to the database: `prisma generate`, say, needs no Vault. */
const connects = ['migrate', 'db', 'studio'].includes(command)

export default defineConfig({
  schema: 'prisma/schema.prisma',
  // With VAULT_DB_ROLE naming a role whose users act as the owner of the tables (setup/app-migrate.sql).
  ...(connects && {
    datasource: { url: await vaultDatabaseUrl({ provider: 'postgresql', vault: vault() }) },
  }),
})

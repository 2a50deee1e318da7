import { vaultDatabaseUrl } from '@vault-lease/prisma'
import { defineConfig } from 'prisma/config'

export default defineConfig({
  schema: '../schemas/postgresql.prisma',
  datasource: { url: await vaultDatabaseUrl({ provider: 'postgresql', parameters: { schema: 'public' } }) },
})

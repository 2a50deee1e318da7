// Users of VAULT_DB_ROLE act as the owner of the tables here (setup/app-migrate.sql).
import { fileURLToPath } from 'node:url'
import { VaultPool } from '@vault-lease/pg'
import { drizzle } from 'drizzle-orm/node-postgres'
import { migrate } from 'drizzle-orm/node-postgres/migrator'
import { vault } from './vault.ts'

const pool = new VaultPool({ vault: vault() })
try {
  const migrationsFolder = fileURLToPath(new URL('../migrations', import.meta.url))
  await migrate(drizzle({ client: pool }), { migrationsFolder })
} finally {
  await pool.end()
}

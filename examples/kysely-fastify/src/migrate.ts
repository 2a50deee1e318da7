// Users of VAULT_DB_ROLE act as the owner of the tables here (setup/app-migrate.sql).
import { promises as fs } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { VaultPool } from '@vault-lease/pg'
import { FileMigrationProvider, Kysely, Migrator, PostgresDialect } from 'kysely'
import type { Database } from './database.ts'
import { vault } from './vault.ts'

const db = new Kysely<Database>({
  dialect: new PostgresDialect({ pool: new VaultPool({ vault: vault() }) }),
})
const migrationFolder = fileURLToPath(new URL('../migrations', import.meta.url))
const migrator = new Migrator({ db, provider: new FileMigrationProvider({ fs, path, migrationFolder }) })
try {
  const { error, results = [] } = await migrator.migrateToLatest()
  if (error) throw error
  const applied = results.map(({ migrationName }) => migrationName)
  console.log(applied.length > 0 ? `Applied ${applied.join(', ')}` : 'Nothing to apply')
} finally {
  await db.destroy()
}

// Does what `prisma migrate deploy` does, which works too (see prisma.config.ts), without an engine to download.
import { createHash, randomUUID } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { vaultAdapter } from '@vault-lease/prisma'
import { PrismaClient } from './generated/prisma/client.ts'
import { vault } from './vault.ts'

const folder = new URL('../prisma/migrations/', import.meta.url)

const db = new PrismaClient({ adapter: vaultAdapter({ provider: 'postgresql', vault: vault(), max: 1 }) })
try {
  await db.$executeRaw`
    CREATE TABLE IF NOT EXISTS _prisma_migrations (
      id VARCHAR(36) PRIMARY KEY,
      checksum VARCHAR(64) NOT NULL,
      finished_at TIMESTAMPTZ,
      migration_name VARCHAR(255) NOT NULL,
      logs TEXT,
      rolled_back_at TIMESTAMPTZ,
      started_at TIMESTAMPTZ NOT NULL DEFAULT now(),
      applied_steps_count INTEGER NOT NULL DEFAULT 0
    )`
  for (const name of await pending()) {
    await apply(name)
    console.log(`Applied ${name}`)
  }
} finally {
  await db.$disconnect()
}

async function pending(): Promise<string[]> {
  const rows = await db.$queryRaw<{ migration_name: string }[]>`SELECT migration_name FROM _prisma_migrations`
  const applied = new Set(rows.map(({ migration_name }) => migration_name))
  const all = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory())
  return all
    .map(({ name }) => name)
    .filter((name) => !applied.has(name))
    .sort()
}

async function apply(name: string): Promise<void> {
  const sql = readFileSync(new URL(`${name}/migration.sql`, folder), 'utf8')
  const checksum = createHash('sha256').update(sql).digest('hex')
  await db.$transaction([
    ...statementsIn(sql).map((statement) => db.$executeRawUnsafe(statement)),
    db.$executeRaw`
      INSERT INTO _prisma_migrations (id, checksum, migration_name, finished_at, applied_steps_count)
      VALUES (${randomUUID()}, ${checksum}, ${name}, now(), 1)`,
  ])
}

/** As Prisma writes them: each ends with its line. */
function statementsIn(sql: string): string[] {
  return sql.split(/;$/m).filter((statement) => statement.trim() !== '')
}

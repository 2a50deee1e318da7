// `prisma migrate deploy` works too (see prisma.config.ts); this needs no engine, which Prisma would download.
import { readFileSync } from 'node:fs'
import { vaultAdapter } from '@vault-lease/prisma'
import { PrismaClient } from './generated/prisma/client.ts'
import { place } from './place.ts'
import { vault } from './vault.ts'

const migration = new URL('../prisma/migrations/20260101000000_users/migration.sql', import.meta.url)

const db = new PrismaClient({ adapter: vaultAdapter({ provider: 'mysql', vault: vault(), ...place }) })
try {
  await db.$executeRawUnsafe(readFileSync(migration, 'utf8'))
} finally {
  await db.$disconnect()
}

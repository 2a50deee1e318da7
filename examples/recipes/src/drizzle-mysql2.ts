import { createPool, type VaultPoolOptions } from '@vault-lease/mysql2'
import { eq, sql } from 'drizzle-orm'
import { int, mysqlTable, varchar } from 'drizzle-orm/mysql-core'
import { drizzle } from 'drizzle-orm/mysql2'
import type { Items } from './items.ts'

const items = mysqlTable('items', { id: int(), name: varchar({ length: 40 }), hits: int() })

export function openDrizzle(options: VaultPoolOptions): Items {
  const pool = createPool(options)
  const db = drizzle({ client: pool })
  return {
    nameOf: async (id) => (await db.select().from(items).where(eq(items.id, id)))[0]?.name,
    hit: (id) =>
      db.transaction(async (tx) => {
        await tx.select().from(items)
        await tx
          .update(items)
          .set({ hits: sql`${items.hits} + 1` })
          .where(eq(items.id, id))
      }),
    close: () => pool.promise().end(),
  }
}

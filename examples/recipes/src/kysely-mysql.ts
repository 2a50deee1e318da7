import { createPool, type VaultPoolOptions } from '@vault-lease/mysql2'
import { Kysely, MysqlDialect } from 'kysely'
import type { Items } from './items.ts'

interface Database {
  items: { id: number; name: string; hits: number }
}

export function openKysely(options: VaultPoolOptions): Items {
  const db = new Kysely<Database>({ dialect: new MysqlDialect({ pool: createPool(options) }) })
  return {
    nameOf: async (id) =>
      (await db.selectFrom('items').select('name').where('id', '=', id).executeTakeFirst())?.name,
    hit: (id) =>
      db.transaction().execute(async (trx) => {
        await trx.selectFrom('items').selectAll().execute()
        await trx
          .updateTable('items')
          .set((eb) => ({ hits: eb('hits', '+', 1) }))
          .where('id', '=', id)
          .execute()
      }),
    close: () => db.destroy(),
  }
}

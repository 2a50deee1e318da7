import { type VaultConnectionOptions, vaultConnection } from '@vault-lease/knex'
import knex from 'knex'
import { Model } from 'objection'
import type { Items } from './items.ts'

class Item extends Model {
  static override tableName = 'items'
  declare id: number
  declare name: string
  declare hits: number
}

export function openObjection(options: VaultConnectionOptions): Items {
  const db = knex({ client: 'pg', connection: vaultConnection(options), pool: { min: 0, max: 5 } })
  const Items = Item.bindKnex(db)
  return {
    nameOf: async (id) => (await Items.query().findById(id))?.name,
    hit: (id) =>
      Items.transaction(async (trx) => {
        await Items.query(trx)
        await Items.query(trx).findById(id).increment('hits', 1)
      }),
    close: () => db.destroy(),
  }
}

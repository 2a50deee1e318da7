import { VaultPool, type VaultPoolOptions } from '@vault-lease/pg'
import knex from 'knex'
import type { Items } from './items.ts'

export function openKnex(options: VaultPoolOptions): Items {
  const pool = new VaultPool(options)
  const db = knex({ client: 'pg', connectionPool: pool })
  return {
    nameOf: async (id) => (await db('items').where({ id }).first('name'))?.name,
    hit: (id) =>
      db.transaction(async (trx) => {
        await trx('items')
        await trx('items').where({ id }).increment('hits', 1)
      }),
    close: () => pool.end(),
  }
}

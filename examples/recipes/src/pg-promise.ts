import { PassThrough } from 'node:stream'
import { VaultPool, type VaultPoolOptions } from '@vault-lease/pg'
import pgPromise from 'pg-promise'
import QueryStream from 'pg-query-stream'
import type { Items } from './items.ts'

const pgp = pgPromise()

/** pg-promise makes its pool of the class that it finds in pg at that moment. */
function vaultDatabase(options: VaultPoolOptions): pgPromise.IDatabase<object> {
  const pg: object = pgp.pg
  const Pool: unknown = Reflect.get(pg, 'Pool')
  Object.assign(pg, { Pool: VaultPool })
  try {
    return pgp(options as object)
  } finally {
    Object.assign(pg, { Pool })
  }
}

export function openPgPromise(options: VaultPoolOptions): Items {
  const db = vaultDatabase(options)
  return {
    nameOf: (id) => db.one('select name from items where id = $1', id, ({ name }) => name),
    hit: (id) =>
      db.tx(async (tx) => {
        await tx.any('select * from items')
        await tx.none('update items set hits = hits + 1 where id = $1', id)
      }),
    async *count(last) {
      const rows = new PassThrough({ objectMode: true })
      const query = new QueryStream('select generate_series(1, $1::int) as n', [last])
      // What fails in between is an error of the stream.
      const read = db.stream(query, (stream) => {
        stream.pipe(rows)
      })
      read.catch((error: Error) => rows.destroy(error))
      for await (const { n } of rows) yield n
    },
    close: () => db.$pool.end(),
  }
}

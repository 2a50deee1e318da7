import { PassThrough, Readable } from 'node:stream'
import { VaultPool, type VaultPoolOptions } from '@vault-lease/pg'
import type { FieldDef, PoolClient } from 'pg'
import Cursor from 'pg-cursor'
import {
  createDriverFactory,
  createPool,
  type DriverClient,
  type DriverFactory,
  type DriverQueryResult,
  type DriverStreamResult,
  sql,
} from 'slonik'
import type { Items } from './items.ts'

const batch = 100

/** Each connection of slonik is one that is borrowed from the pool, and given back after each use. */
function driverOver(pool: VaultPool): DriverFactory {
  const driverFactory = createDriverFactory(async () => ({
    async createPoolClient({ clientEventEmitter }) {
      let client: PoolClient
      const onError = (error: Error): void => void clientEventEmitter.emit('error', error)
      return {
        async connect() {
          client = await pool.connect()
          client.on('error', onError)
        },
        async end() {
          client.off('error', onError)
          client.release()
        },
        async query(text, values = []) {
          const { command, rowCount, rows, fields } = await client.query(text, values)
          return {
            command: command as DriverQueryResult['command'],
            rowCount,
            rows,
            fields: fieldsOf(fields),
          }
        },
        stream: (text, values = []) =>
          Readable.from(rowsOf(client, text, values)) as ReturnType<DriverClient['stream']>,
      }
    },
  }))
  return async (terms) => {
    const { createClient } = await driverFactory(terms)
    return {
      async createClient() {
        const client = await createClient()
        return { ...client, release: client.destroy }
      },
    }
  }
}

/** Slonik wants its fields with each row. */
async function* rowsOf(
  client: PoolClient,
  text: string,
  values: unknown[],
): AsyncGenerator<DriverStreamResult> {
  const cursor = client.query(new Cursor(text, values))
  try {
    for (;;) {
      const read = await new Promise<DriverStreamResult[]>((resolve, reject) => {
        cursor.read(batch, (error, rows, { fields }) => {
          if (error) reject(error)
          else resolve(rows.map((row) => ({ row, fields: fieldsOf(fields) })))
        })
      })
      if (read.length === 0) return
      yield* read
    }
  } finally {
    await cursor.close()
  }
}

function fieldsOf(fields: FieldDef[]): DriverQueryResult['fields'] {
  return fields.map(({ name, dataTypeID }) => ({ name, dataTypeId: dataTypeID }))
}

/** The address tells slonik nothing that the pool does not know better; it wants one. */
export async function openSlonik(options: VaultPoolOptions): Promise<Items> {
  const pool = new VaultPool(options)
  const db = await createPool('postgresql://', {
    driverFactory: driverOver(pool),
    maximumPoolSize: pool.options.max,
    resetConnection: async () => {},
  })
  return {
    nameOf: (id) => db.oneFirst(sql.unsafe`select name from items where id = ${id}`),
    hit: (id) =>
      db.transaction(async (tx) => {
        await tx.any(sql.unsafe`select * from items`)
        await tx.query(sql.unsafe`update items set hits = hits + 1 where id = ${id}`)
      }),
    async *count(last) {
      const rows = new PassThrough({ objectMode: true })
      const query = sql.unsafe`select generate_series(1, ${last}::int) as n`
      const read = db.stream(query, (stream) => void stream.pipe(rows))
      read.catch((error: Error) => rows.destroy(error))
      for await (const { data } of rows) yield data.n
    },
    async close() {
      await db.end()
      await pool.end()
    },
  }
}

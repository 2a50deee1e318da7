import { VaultPool, type VaultPoolOptions } from '@vault-lease/pg'
import type { PoolClient } from 'pg'
import { createDriverFactory, createPool, type DriverFactory, type DriverQueryResult, sql } from 'slonik'
import type { Items } from './items.ts'

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
            fields: fields.map(({ name, dataTypeID }) => ({ name, dataTypeId: dataTypeID })),
          }
        },
        stream: () => {
          throw new Error('Stream over the pool itself, with pg-query-stream.')
        },
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
    async close() {
      await db.end()
      await pool.end()
    },
  }
}

import { setTimeout as sleep } from 'node:timers/promises'
import { createPool } from '@vault-lease/mysql2/promise'
import type { Connection as CallbackConnection } from 'mysql2'
import mysql from 'mysql2/promise'
import { anyId, cursorOn, poolOptions, userOf, whoAmI } from './mysql2.ts'
import type { MakeStatic, MakeSubject, Workload } from './subject.ts'

export const leased: MakeSubject = (place, from) => {
  const pool = createPool({ ...from, ...poolOptions(place) })
  return {
    ...promiseWorkload(pool),
    inspectables: () => [pool, pool.lease, pool.lease.status()],
    close: () => pool.end(),
  }
}

export const plain: MakeStatic = (place, login) => {
  const pool = mysql.createPool({ ...login, ...poolOptions(place) })
  return { ...promiseWorkload(pool), inspectables: () => [pool], close: () => pool.end() }
}

function promiseWorkload(pool: mysql.Pool): Workload {
  const withConnection = async (run: (connection: mysql.PoolConnection) => Promise<void>): Promise<void> => {
    const connection = await pool.getConnection()
    try {
      await run(connection)
    } finally {
      connection.release()
    }
  }
  return {
    query: () => pool.query('select name from items where id = ?', [1]),
    transaction: (holdMs) =>
      withConnection(async (connection) => {
        await connection.beginTransaction()
        await connection.execute('select count(*) from items')
        await sleep(holdMs)
        await connection.execute('update items set hits = hits + 1 where id = ?', [anyId()])
        await connection.commit()
      }),
    stream: () =>
      withConnection(async (connection) => {
        let rows = 0
        for await (const _row of callbackOf(connection)
          .query('select * from items')
          .stream({ highWaterMark: 25 })) {
          if (++rows % 25 === 0) await sleep(5)
        }
        if (rows !== 100) throw new Error(`the stream gave ${rows} rows`)
      }),
    deniedQuery: () => pool.query('select * from private.forbidden'),
    async openTransaction() {
      const connection = await pool.getConnection()
      await connection.beginTransaction()
      return {
        async step() {
          const [rows] = await connection.query(whoAmI)
          return userOf(rows)
        },
        finish: () => connection.commit().finally(() => connection.release()),
      }
    },
    async openCursor() {
      const connection = await pool.getConnection()
      return cursorOn(callbackOf(connection), () => connection.release())
    },
  }
}

/** Only the connection below that of promises has streams; mysql2 types it as another one of promises. */
function callbackOf({ connection }: mysql.PoolConnection): CallbackConnection {
  return connection as unknown as CallbackConnection
}

import { setTimeout as sleep } from 'node:timers/promises'
import { createPool } from '@vault-lease/mysql2'
import mysql from 'mysql2'
import type { HeldOpen, MakeStatic, MakeSubject, Place, Workload } from './subject.ts'

export const leased: MakeSubject = (place, from) => {
  const pool = createPool({ ...from, ...poolOptions(place) })
  return {
    ...callbackWorkload(pool),
    inspectables: () => [pool, pool.lease, pool.lease.status()],
    close: () => pool.end(),
  }
}

export const plain: MakeStatic = (place, login) => {
  const pool = mysql.createPool({ ...login, ...poolOptions(place) })
  return {
    ...callbackWorkload(pool),
    inspectables: () => [pool],
    close: () => pool.promise().end(),
  }
}

export const quickOptions = { idleTimeout: 100, maxIdle: 1, keepAliveInitialDelay: 100 }

export function poolOptions({ server, max, acquireTimeoutMs, quick }: Place): mysql.PoolOptions {
  const { host, port, database } = server
  const all = { host, port, database, connectionLimit: max, connectTimeout: acquireTimeoutMs }
  return quick ? { ...all, ...quickOptions } : all
}

type Queryable = Pick<mysql.Connection, 'query'>

function callbackWorkload(pool: Pick<mysql.Pool, 'query' | 'execute' | 'getConnection'>): Workload {
  const withConnection = async <T>(run: (connection: mysql.PoolConnection) => Promise<T>): Promise<T> => {
    const connection = await connectionOf(pool)
    try {
      return await run(connection)
    } finally {
      connection.release()
    }
  }
  return {
    query: () =>
      new Promise((resolve, reject) => {
        pool.execute('select name from items where id = ?', [1], (error, rows) =>
          error ? reject(error) : resolve(rows),
        )
      }),
    transaction: (holdMs) =>
      withConnection(async (connection) => {
        await ask(connection, 'start transaction')
        await ask(connection, 'select count(*) from items')
        await sleep(holdMs)
        await ask(connection, 'update items set hits = hits + 1 where id = ?', [anyId()])
        await ask(connection, 'commit')
      }),
    stream: () =>
      withConnection(async (connection) => {
        let rows = 0
        for await (const _row of connection.query('select * from items').stream({ highWaterMark: 25 })) {
          if (++rows % 25 === 0) await sleep(5)
        }
        if (rows !== 100) throw new Error(`the stream gave ${rows} rows`)
      }),
    deniedQuery: () => ask(pool, 'select * from private.forbidden'),
    async openTransaction() {
      const connection = await connectionOf(pool)
      await ask(connection, 'start transaction')
      return {
        step: async () => userOf(await ask(connection, whoAmI)),
        finish: () =>
          ask(connection, 'commit')
            .then(() => {})
            .finally(() => connection.release()),
      }
    },
    async openCursor() {
      const connection = await connectionOf(pool)
      return cursorOn(connection, () => connection.release())
    },
  }
}

export const whoAmI = `select substring_index(session_user(), '@', 1) as user from items limit 1`

export function userOf(rows: unknown): string {
  return (rows as { user: string }[])[0]?.user ?? ''
}

/** mysql2 has no cursor: a stream that is read slowly holds its connection as one does. */
export function cursorOn(connection: Queryable, release: () => void): HeldOpen {
  return slowly(connection.query(manyRows).stream({ highWaterMark: 1 }), release)
}

export const manyRows = `select substring_index(session_user(), '@', 1) as user, repeat('x', 10000)
  from items a cross join items b`

/** Reads a stream of `manyRows` row by row. */
export function slowly(stream: AsyncIterable<unknown>, release: () => void): HeldOpen {
  const rows = stream[Symbol.asyncIterator]()
  return {
    async step() {
      const { value } = await rows.next()
      return userOf([value])
    },
    async finish() {
      try {
        while (!(await rows.next()).done) {
          // reads to the end
        }
      } finally {
        release()
      }
    },
  }
}

export function anyId(): number {
  return 1 + Math.floor(Math.random() * 100)
}

function ask(connection: Queryable, sql: string, values: unknown[] = []): Promise<unknown> {
  return new Promise((resolve, reject) => {
    connection.query(sql, values, (error, rows) => (error ? reject(error) : resolve(rows)))
  })
}

function connectionOf(pool: Pick<mysql.Pool, 'getConnection'>): Promise<mysql.PoolConnection> {
  return new Promise((resolve, reject) => {
    pool.getConnection((error, connection) => (error ? reject(error) : resolve(connection)))
  })
}

import { setTimeout as sleep } from 'node:timers/promises'
import { vaultPostgres } from '@vault-lease/postgres'
import postgres from 'postgres'
import type { HeldOpen, MakeStatic, MakeSubject, Place, Workload } from './subject.ts'

type Sql = postgres.Sql
interface User {
  readonly user: string
}

export const leased: MakeSubject = (place, from) => {
  const sql = vaultPostgres({ ...from, ...clientOptions(place) })
  return {
    ...workload(sql),
    inspectables: () => [sql, sql.options, sql.lease, sql.lease.status()],
    close: () => sql.end(),
  }
}

export const plain: MakeStatic = (place, login) => {
  const sql = postgres({ ...login, ...clientOptions(place) })
  return { ...workload(sql), inspectables: () => [sql], close: () => sql.end() }
}

function clientOptions({ server, max, acquireTimeoutMs, quick }: Place) {
  const { host, port, database } = server
  const all = { host, port, database, max, connect_timeout: acquireTimeoutMs / 1_000 }
  return quick ? { ...all, idle_timeout: 0.1, max_lifetime: 1, keep_alive: 0.1 } : all
}

function workload(sql: Sql): Workload {
  return {
    query: () => sql`select name from items where id = ${1}`,
    transaction: (holdMs) =>
      sql.begin(async (tx) => {
        await tx`select count(*) from items`
        await sleep(holdMs)
        await tx`update items set hits = hits + 1 where id = ${anyId()}`
      }),
    async stream() {
      let rows = 0
      for await (const batch of sql`select * from items`.cursor(25)) {
        rows += batch.length
        await sleep(5)
      }
      if (rows !== 100) throw new Error(`the cursor gave ${rows} rows`)
    },
    deniedQuery: () => sql`select * from private.forbidden`,
    openTransaction: () => heldTransaction(sql),
    async openCursor() {
      const rows = sql<User[]>`select session_user as user from items`.cursor(10)
      const cursor = rows[Symbol.asyncIterator]()
      return {
        async step() {
          const { value } = await cursor.next()
          return value?.[0]?.user ?? ''
        },
        async finish() {
          await cursor.return?.()
        },
      }
    },
  }
}

/** A transaction of postgres.js lasts as long as its function. */
function heldTransaction(sql: Sql): Promise<HeldOpen> {
  return new Promise((resolve, reject) => {
    const ended = sql.begin(
      (tx) =>
        new Promise<void>((commit) => {
          resolve({
            async step() {
              const [row] = await tx<User[]>`select session_user as user from items limit 1`
              return row?.user ?? ''
            },
            async finish() {
              commit()
              await ended
            },
          })
        }),
    )
    ended.catch(reject)
  })
}

function anyId(): number {
  return 1 + Math.floor(Math.random() * 100)
}

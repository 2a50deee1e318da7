import { setTimeout as sleep } from 'node:timers/promises'
import { vaultConnection } from '@vault-lease/knex'
import knex, { type Knex } from 'knex'
import type { MakeStatic, MakeSubject, Place, Workload } from './subject.ts'

/** knex with the client of one database. */
export function knexOn(client: 'pg' | 'mysql2'): { leased: MakeSubject; plain: MakeStatic } {
  const open = (place: Place, connection: Knex.Config['connection']): ReturnType<MakeSubject> =>
    subjectOn(
      knex({ ...knexOptions(place), client, ...(connection && { connection }) }),
      userExpressions[client],
    )
  return {
    leased: (place, from) => open(place, vaultConnection({ ...from, ...endpoint(place) })),
    plain: (place, login) => open(place, { ...login, ...endpoint(place) }),
  }
}

function endpoint({ server: { host, port, database } }: Place): Place['server'] {
  return { host, port, database }
}

const userExpressions = {
  pg: 'session_user as "user"',
  mysql2: `substring_index(session_user(), '@', 1) as user`,
}

function subjectOn(db: Knex, userExpression: string): ReturnType<MakeSubject> {
  return {
    ...knexWorkload(db, db.raw(userExpression)),
    inspectables: () => [db, db.client, db.client.config, db.client.pool],
    close: () => db.destroy(),
  }
}

const quickOptions = { idleTimeoutMillis: 100, reapIntervalMillis: 50 }

function knexOptions({ max, acquireTimeoutMs, quick, log = () => {} }: Place): Knex.Config {
  return {
    pool: { min: 0, max, ...(quick && quickOptions) },
    acquireConnectionTimeout: acquireTimeoutMs,
    // knex warns of each connection that is lost, which here is the point.
    log: { warn: log, error: log, debug: log, deprecate: log },
  }
}

function knexWorkload(db: Knex, sessionUser: Knex.Raw): Workload {
  return {
    query: () => db('items').select('name').where({ id: 1 }),
    transaction: (holdMs) =>
      db.transaction(async (trx) => {
        await trx('items').count()
        await sleep(holdMs)
        await trx('items')
          .where({ id: 1 + Math.floor(Math.random() * 100) })
          .increment('hits', 1)
      }),
    async stream() {
      let rows = 0
      for await (const _row of db('items').select('*').stream({ batchSize: 25, highWaterMark: 25 })) {
        if (++rows % 25 === 0) await sleep(5)
      }
      if (rows !== 100) throw new Error(`the stream gave ${rows} rows`)
    },
    deniedQuery: () => db('private.forbidden').select('*'),
    async openTransaction() {
      const trx = await db.transaction()
      return {
        async step() {
          const [row] = await trx('items').select<{ user: string }[]>(sessionUser).limit(1)
          return row?.user ?? ''
        },
        finish: async () => void (await trx.commit()),
      }
    },
    async openCursor() {
      const stream = db('items').select(sessionUser).stream({ batchSize: 10, highWaterMark: 10 })
      const rows: AsyncIterator<{ user: string }> = stream[Symbol.asyncIterator]()
      return {
        async step() {
          const { value } = await rows.next()
          return value.user
        },
        async finish() {
          while (!(await rows.next()).done) {
            // reads to the end
          }
        },
      }
    },
  }
}

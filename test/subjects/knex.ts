import { setTimeout as sleep } from 'node:timers/promises'
import { vaultConnection } from '@vault-lease/knex'
import knex, { type Knex } from 'knex'
import type { MakeStatic, MakeSubject, Place, Workload } from './subject.ts'

export const knexSubject: MakeSubject = (place, from) => {
  const { host, port, database } = place.server
  return subjectOn(
    knex({ ...knexOptions(place), connection: vaultConnection({ ...from, host, port, database }) }),
  )
}

export const staticKnex: MakeStatic = (place, login) => {
  const { host, port, database } = place.server
  return subjectOn(knex({ ...knexOptions(place), connection: { ...login, host, port, database } }))
}

function subjectOn(db: Knex): ReturnType<MakeSubject> {
  return {
    ...knexWorkload(db),
    inspectables: () => [db, db.client, db.client.config, db.client.pool],
    close: () => db.destroy(),
  }
}

function knexOptions({ max, acquireTimeoutMs, log = () => {} }: Place): Knex.Config {
  return {
    client: 'pg',
    pool: { min: 0, max },
    acquireConnectionTimeout: acquireTimeoutMs,
    // knex warns of each connection that is lost, which here is the point.
    log: { warn: log, error: log, debug: log, deprecate: log },
  }
}

function knexWorkload(db: Knex): Workload {
  const sessionUser = db.raw('session_user as "user"')
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

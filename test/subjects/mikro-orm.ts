import { setTimeout as sleep } from 'node:timers/promises'
import { EntitySchema, LockMode, type Options } from '@mikro-orm/core'
import { MariaDbDriver } from '@mikro-orm/mariadb'
import { MySqlDriver } from '@mikro-orm/mysql'
import { type Knex, MikroORM, PostgreSqlDriver } from '@mikro-orm/postgresql'
import { vaultMikroOrm } from '@vault-lease/mikro-orm'
import type { HeldOpen, MakeStatic, MakeSubject, Place, Workload } from './subject.ts'

interface Item {
  id: number
  name: string
  hits: number
}

const Items = new EntitySchema<Item>({
  name: 'Item',
  tableName: 'items',
  properties: {
    id: { type: 'number', primary: true },
    name: { type: 'string' },
    hits: { type: 'number' },
  },
})

const drivers = { postgresql: PostgreSqlDriver, mysql: MySqlDriver, mariadb: MariaDbDriver } as const

const mysqlUser = `substring_index(session_user(), '@', 1) as user`
const userExpressions = {
  postgresql: 'session_user as "user"',
  mysql: mysqlUser,
  mariadb: mysqlUser,
} as const

type Kind = keyof typeof drivers

/** MikroORM with the driver of one database. */
export function mikroOrmOn(kind: Kind): { leased: MakeSubject; plain: MakeStatic } {
  // What is used of them is the same.
  const driver = drivers[kind] as unknown as typeof PostgreSqlDriver
  return {
    leased: (place, from) => subjectOn(vaultMikroOrm({ ...from, ...optionsFor(place, kind), driver }), kind),
    plain: (place, login) => subjectOn({ ...optionsFor(place, kind), driver, ...login }, kind),
  }
}

const quickOptions = { idleTimeoutMillis: 100, reapIntervalMillis: 50 }

/** A busy machine needs longer for a connection than the second that the driver mariadb allows. */
const patientOptions = { connection: { connectTimeout: 10_000 } }

function optionsFor(
  { server: { host, port, database }, max, acquireTimeoutMs, quick, log = () => {} }: Place,
  kind: Kind,
) {
  return {
    host,
    port,
    dbName: database,
    entities: [Items],
    pool: { min: 0, max, acquireTimeoutMillis: acquireTimeoutMs, ...(quick && quickOptions) },
    driverOptions: {
      acquireConnectionTimeout: acquireTimeoutMs,
      log: { warn: log, error: log },
      ...(kind === 'mariadb' && patientOptions),
    },
    // Otherwise MikroORM connects as it is made.
    connect: false,
    logger: log,
  }
}

function subjectOn(options: Options<PostgreSqlDriver>, kind: Kind): ReturnType<MakeSubject> {
  const orm = MikroORM.initSync(options)
  const knex = (): Knex => orm.em.getKnex()
  return {
    ...workload(orm, knex, userExpressions[kind]),
    // Health looks at the first of them: a MikroORM has its lease below its knex.
    inspectables: () => [knex(), orm, orm.config, orm.em, knex().client.pool],
    close: () => orm.close(),
  }
}

function workload(orm: MikroORM, knex: () => Knex, userExpression: string): Workload {
  return {
    query: () => orm.em.fork().findOneOrFail(Items, 1),
    transaction: (holdMs) =>
      orm.em.fork().transactional(async (em) => {
        await em.count(Items)
        await sleep(holdMs)
        const item = await em.findOneOrFail(Items, 1 + Math.floor(Math.random() * 100), {
          lockMode: LockMode.PESSIMISTIC_WRITE,
        })
        item.hits++
      }),
    async stream() {
      let rows = 0
      for await (const _row of knex()('items').select('*').stream({ batchSize: 25, highWaterMark: 25 })) {
        if (++rows % 25 === 0) await sleep(5)
      }
      if (rows !== 100) throw new Error(`the stream gave ${rows} rows`)
    },
    deniedQuery: () => orm.em.fork().execute('select * from private.forbidden'),
    async openTransaction() {
      const em = orm.em.fork()
      await em.begin()
      return {
        async step() {
          const [row] = await em.execute<{ user: string }[]>(`select ${userExpression} from items limit 1`)
          return row?.user ?? ''
        },
        finish: () => em.commit(),
      }
    },
    openCursor: async () => cursorOn(knex(), userExpression),
  }
}

function cursorOn(knex: Knex, userExpression: string): HeldOpen {
  const stream = knex('items').select(knex.raw(userExpression)).stream({ batchSize: 10, highWaterMark: 10 })
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
}

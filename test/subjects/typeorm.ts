import { setTimeout as sleep } from 'node:timers/promises'
import { vaultDataSource } from '@vault-lease/typeorm'
import { DataSource, type DataSourceOptions, EntitySchema } from 'typeorm'
import { dataSourceSubject } from './data-source-subject.ts'
import { quickOptions } from './mysql2.ts'
import { quickOptions as quickPgOptions } from './pg.ts'
import type { MakeStatic, MakeSubject, Place, Workload } from './subject.ts'

interface Item {
  id: number
  name: string
  hits: number
}

/** The rows that a stream of TypeORM reads at a time. */
const batchSize = 100

const Items = new EntitySchema<Item>({
  name: 'items',
  columns: { id: { type: Number, primary: true }, name: { type: 'text' }, hits: { type: Number } },
})

type Type = 'postgres' | 'mysql' | 'mariadb'

/** Where the databases differ. */
interface Dialect {
  readonly options: (place: Place) => object
  /** Where MySQL has a database of its own, PostgreSQL has a schema. */
  readonly privateIs: 'schema' | 'database'
  /** As an expression of SQL. */
  readonly sessionUser: string
}

const mysqlDialect: Dialect = {
  options: ({ acquireTimeoutMs, quick }) => ({
    connectTimeout: acquireTimeoutMs,
    ...(quick && { extra: quickOptions }),
  }),
  privateIs: 'database',
  sessionUser: `substring_index(session_user(), '@', 1)`,
}

const dialects: Readonly<Record<Type, Dialect>> = {
  postgres: {
    options: ({ acquireTimeoutMs, quick, log = () => {} }) => ({
      connectTimeoutMS: acquireTimeoutMs,
      ...(quick && { extra: quickPgOptions }),
      // A pool tells of each idle connection that is lost, which here is the point.
      poolErrorHandler: log,
    }),
    privateIs: 'schema',
    sessionUser: 'session_user',
  },
  mysql: mysqlDialect,
  mariadb: mysqlDialect,
}

/** TypeORM on one type of database. */
export function typeormOn(type: Type): { leased: MakeSubject; plain: MakeStatic } {
  const { options, privateIs, sessionUser } = dialects[type]
  const Forbidden = new EntitySchema<{ id: number }>({
    name: 'forbidden',
    [privateIs]: 'private',
    columns: { id: { type: Number, primary: true } },
  })
  const optionsFor = (place: Place) => ({
    ...placeOf(place),
    ...options(place),
    type,
    entities: [Items, Forbidden],
  })
  const open = (dataSourceOptions: DataSourceOptions) =>
    dataSourceSubject(new DataSource(dataSourceOptions), (ready) =>
      workload(ready, { Forbidden, sessionUser }),
    )
  return {
    leased: (place, from) => open(vaultDataSource({ ...from, ...optionsFor(place) })),
    plain: (place, { user, password }) => open({ ...optionsFor(place), username: user, password }),
  }
}

function placeOf({ server: { host, port, database }, max }: Place) {
  return { host, port, database, poolSize: max }
}

/** What a workload asks for by another name in each database. */
interface Names {
  readonly Forbidden: EntitySchema
  /** As an expression of SQL. */
  readonly sessionUser: string
}

function workload(ready: () => Promise<DataSource>, { Forbidden, sessionUser }: Names): Workload {
  // So many rows, and so long ones, that no buffer on the way holds them all.
  const sessionUsers = `select ${sessionUser} as who, repeat('x', 10000) as filler from items, items more`
  return {
    query: async () => await (await ready()).getRepository(Items).findOneByOrFail({ id: 1 }),
    async transaction(holdMs) {
      const dataSource = await ready()
      await dataSource.transaction(async (manager) => {
        const items = manager.getRepository(Items)
        await items.count()
        await sleep(holdMs)
        await items.increment({ id: 1 + Math.floor(Math.random() * 100) }, 'hits', 1)
      })
    },
    async stream() {
      const runner = (await ready()).createQueryRunner()
      try {
        let rows = 0
        const items = runner.manager.createQueryBuilder(Items, 'item')
        for await (const _row of await items.stream()) {
          if (++rows % 25 === 0) await sleep(5)
        }
        if (rows !== 100) throw new Error(`the stream gave ${rows} rows`)
      } finally {
        await runner.release()
      }
    },
    deniedQuery: async () => await (await ready()).getRepository(Forbidden).find(),
    async openTransaction() {
      const runner = (await ready()).createQueryRunner()
      await runner.startTransaction()
      return {
        async step() {
          const [{ who }] = await runner.query(`${sessionUsers} limit 1`)
          return who
        },
        async finish() {
          await runner.commitTransaction().finally(() => runner.release())
        },
      }
    },
    async openCursor() {
      const runner = (await ready()).createQueryRunner()
      const stream = await runner.stream(sessionUsers)
      const rows: AsyncIterator<{ who: string }> = stream[Symbol.asyncIterator]()
      return {
        async step() {
          const { value } = await rows.next()
          for (let row = 1; row < batchSize; row++) await rows.next()
          return value.who
        },
        async finish() {
          stream.destroy()
          await runner.release()
        },
      }
    },
  }
}

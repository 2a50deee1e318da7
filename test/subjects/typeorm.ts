import { setTimeout as sleep } from 'node:timers/promises'
import { vaultDataSource } from '@vault-lease/typeorm'
import { DataSource, type DataSourceOptions, EntitySchema } from 'typeorm'
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

const Forbidden = new EntitySchema<{ id: number }>({
  name: 'forbidden',
  schema: 'private',
  columns: { id: { type: Number, primary: true } },
})

export const typeormSubject: MakeSubject = (place, from) =>
  subjectOn(vaultDataSource({ ...from, ...optionsFor(place) }))

export const staticTypeorm: MakeStatic = (place, { user, password }) =>
  subjectOn({ ...optionsFor(place), username: user, password })

function optionsFor({ server, max, acquireTimeoutMs, log = () => {} }: Place) {
  const { host, port, database } = server
  return {
    type: 'postgres' as const,
    host,
    port,
    database,
    poolSize: max,
    connectTimeoutMS: acquireTimeoutMs,
    entities: [Items, Forbidden],
    // A pool tells of each idle connection that is lost, which here is the point.
    poolErrorHandler: log,
  }
}

function subjectOn(options: DataSourceOptions): ReturnType<MakeSubject> {
  const dataSource = new DataSource(options)
  let initialized: Promise<DataSource> | undefined
  let closed: Promise<void> | undefined
  const close = async (): Promise<void> => {
    await initialized
    if (dataSource.isInitialized) await dataSource.destroy()
  }
  return {
    ...workload(() => {
      initialized ??= dataSource.initialize()
      return initialized
    }),
    inspectables: () => [dataSource, dataSource.options, dataSource.driver],
    close() {
      closed ??= close()
      return closed
    },
  }
}

function workload(ready: () => Promise<DataSource>): Workload {
  const sessionUsers = 'select session_user as user from items, items more'
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
          const [{ user }] = await runner.query(`${sessionUsers} limit 1`)
          return user
        },
        async finish() {
          await runner.commitTransaction().finally(() => runner.release())
        },
      }
    },
    async openCursor() {
      const runner = (await ready()).createQueryRunner()
      const stream = await runner.stream(sessionUsers)
      const rows: AsyncIterator<{ user: string }> = stream[Symbol.asyncIterator]()
      return {
        async step() {
          const { value } = await rows.next()
          for (let row = 1; row < batchSize; row++) await rows.next()
          return value.user
        },
        async finish() {
          stream.destroy()
          await runner.release()
        },
      }
    },
  }
}

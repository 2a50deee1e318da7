import { setTimeout as sleep } from 'node:timers/promises'
import { vaultSequelize } from '@vault-lease/sequelize'
import type { Connection as MariaDbConnection } from 'mariadb'
import type { Connection } from 'mysql2'
import type { Client } from 'pg'
import Cursor from 'pg-cursor'
import QueryStream from 'pg-query-stream'
import { DataTypes, type Model, type ModelStatic, type Options, QueryTypes, Sequelize } from 'sequelize'
import { cursorOn, manyRows, slowly } from './mysql2.ts'
import type { HeldOpen, MakeStatic, MakeSubject, Place, Workload } from './subject.ts'

type DialectName = 'postgres' | 'mysql' | 'mariadb'

/** Where the databases differ. */
interface Dialect {
  /** As an expression of SQL. */
  readonly sessionUser: string
  /** Reads all items; Sequelize streams nothing, its connections do. */
  items(connection: object): AsyncIterable<unknown>
  openCursor(connection: object, release: () => void): HeldOpen
}

const dialects: Readonly<Record<DialectName, Dialect>> = {
  postgres: {
    sessionUser: 'session_user',
    items: (connection) =>
      (connection as Client).query(new QueryStream('select * from items', [], { batchSize: 25 })),
    openCursor(connection, release) {
      const cursor = (connection as Client).query(
        new Cursor<{ user: string }>('select session_user as user from items'),
      )
      return {
        async step() {
          const rows = await cursor.read(10)
          return rows[0]?.user ?? ''
        },
        async finish() {
          await cursor.close().finally(release)
        },
      }
    },
  },
  mysql: {
    sessionUser: `substring_index(session_user(), '@', 1)`,
    items: (connection) =>
      (connection as Connection).query('select * from items').stream({ highWaterMark: 25 }),
    openCursor: (connection, release) => cursorOn(connection as Connection, release),
  },
  mariadb: {
    sessionUser: `substring_index(session_user(), '@', 1)`,
    items: (connection) => (connection as MariaDbConnection).queryStream('select * from items'),
    openCursor: (connection, release) =>
      slowly((connection as MariaDbConnection).queryStream(manyRows), release),
  },
}

/** Sequelize on one database. */
export function sequelizeOn(dialect: DialectName): { leased: MakeSubject; plain: MakeStatic } {
  return {
    leased: (place, from) =>
      subjectOn(new Sequelize(vaultSequelize({ ...from, ...optionsFor(place), dialect })), dialects[dialect]),
    plain: (place, { user, password }) =>
      subjectOn(
        new Sequelize({ ...optionsFor(place), dialect, username: user, password }),
        dialects[dialect],
      ),
  }
}

const quickOptions = { idle: 100, evict: 50 }
/** A busy machine needs longer for a connection than the second that the driver mariadb allows. */
const patientOptions = { connectTimeout: 10_000 }

function optionsFor({
  server: { host, port, database },
  max,
  acquireTimeoutMs,
  quick,
}: Place): Omit<Options, 'dialect' | 'replication'> {
  const pool = { max, acquire: acquireTimeoutMs, ...(quick && quickOptions) }
  return { host, port, database, pool, logging: false, dialectOptions: patientOptions }
}

function subjectOn(sequelize: Sequelize, dialect: Dialect): ReturnType<MakeSubject> {
  return {
    ...workload(sequelize, dialect),
    inspectables: () => [sequelize, sequelize.config, sequelize.connectionManager],
    close: () => sequelize.close(),
  }
}

function workload(sequelize: Sequelize, { sessionUser, items, openCursor }: Dialect): Workload {
  const Items: ModelStatic<Model<{ id: number; name: string; hits: number }>> = sequelize.define(
    'items',
    { id: { type: DataTypes.INTEGER, primaryKey: true }, name: DataTypes.STRING, hits: DataTypes.INTEGER },
    { timestamps: false },
  )
  const { connectionManager } = sequelize
  const connect = (): Promise<object> => connectionManager.getConnection({ type: 'SELECT' } as never)
  return {
    query: () => Items.findByPk(1, { rejectOnEmpty: true }),
    transaction: (holdMs) =>
      sequelize.transaction(async (transaction) => {
        await Items.count({ transaction })
        await sleep(holdMs)
        await Items.increment('hits', { where: { id: 1 + Math.floor(Math.random() * 100) }, transaction })
      }),
    async stream() {
      const connection = await connect()
      try {
        let rows = 0
        for await (const _row of items(connection)) {
          if (++rows % 25 === 0) await sleep(5)
        }
        if (rows !== 100) throw new Error(`the stream gave ${rows} rows`)
      } finally {
        connectionManager.releaseConnection(connection)
      }
    },
    deniedQuery: () => sequelize.query('select * from private.forbidden'),
    async openTransaction() {
      const transaction = await sequelize.transaction()
      return {
        async step() {
          const sql = `select ${sessionUser} as who from items limit 1`
          const [row] = await sequelize.query<{ who: string }>(sql, { type: QueryTypes.SELECT, transaction })
          return row?.who ?? ''
        },
        finish: () => transaction.commit(),
      }
    },
    async openCursor() {
      const connection = await connect()
      return openCursor(connection, () => connectionManager.releaseConnection(connection))
    },
  }
}

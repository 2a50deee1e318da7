import { settlesWithin } from '@vault-lease/core/adapter'
import { type Finding, ok, warning } from '../finding.ts'
import { links } from '../links.ts'
import { databaseClock } from './clock.ts'
import { answersWithinMs, type DatabaseSession, endsWithinMs, type Named } from './examined.ts'
import { roomFor } from './room.ts'

type Row = Readonly<Record<string, unknown>>

export async function openMysql(url: string): Promise<DatabaseSession> {
  const { createConnection } = await import('mysql2/promise')
  const uri = url.replace(/^mariadb:/, 'mysql:')
  const connection = await createConnection({ uri, connectTimeout: answersWithinMs })
  connection.on('error', () => {})
  const first = async (sql: string): Promise<Row> => {
    const [rows] = await connection.query({ sql, timeout: answersWithinMs })
    return Array.isArray(rows) ? ((rows[0] ?? {}) as Row) : {}
  }
  return {
    user: async () => `${(await first(`select substring_index(session_user(), '@', 1) as name`))['name']}`,
    async look(load): Promise<readonly Named[]> {
      const began = Date.now()
      const { ms } = await first('select unix_timestamp(now(3)) * 1000 as ms')
      const clock = databaseClock(Number(ms), (began + Date.now()) / 2)
      const { size } = await first('select @@max_connections as size')
      const { Value: connected } = await first(`show global status like 'Threads_connected'`)
      // Its own is counted.
      const others = Number(connected) - 1
      const room = { limitName: 'max_connections', limit: Number(size), others, mayBeOurs: true }
      return [
        ['clock', clock],
        ['connections', roomFor(load, room, links.databases)],
        ['objects', await definersOf(first)],
      ]
    },
    async close() {
      await settlesWithin(connection.end(), endsWithinMs)
      connection.destroy()
    },
  }
}

/** What MySQL has in place of owned objects: they run as the user that defined them, also when that is gone. */
async function definersOf(first: (sql: string) => Promise<Row>): Promise<Finding> {
  const { objects } = await first(`select count(*) as objects from (
    select definer from information_schema.views union all
    select definer from information_schema.routines union all
    select definer from information_schema.triggers union all
    select definer from information_schema.events) as defined where definer like 'v-%'`)
  return Number(objects) === 0
    ? ok('none was defined by a user of Vault')
    : warning(
        `${objects} views, routines, triggers or events were defined by users of Vault, and fail when those are gone`,
        'Define them as a user that stays: create definer = … view …',
        links.databases,
      )
}

import type { Connection } from '../database-server.ts'
import type { Drop } from '../drops.ts'
import type { Dialect, UserSessions } from './dialect.ts'

/** What a dialect of SQL says in statements. */
export interface SqlDialect extends Pick<Dialect, 'plugin' | 'creationStatements'> {
  connectionUrl(server: Connection): string
  /** Tables that record the drops. */
  readonly setUp: readonly string[]
  /** They also count the sessions of the user that are open at that moment. */
  readonly revocationStatements: readonly string[]
  /** The dynamic users, as `name`. */
  readonly users: string
  /** What was dropped, as `username`, `openSessions` and `at` (ms). */
  readonly drops: string
  /** Sessions by user, as `name` and `sessions`, of the users that match one pattern. */
  readonly sessions: string
}

export function sqlDialect(sql: SqlDialect): Dialect {
  return {
    plugin: sql.plugin,
    dynamicUsers: 'v-%',
    creationStatements: sql.creationStatements,
    revocationStatements: sql.revocationStatements,
    async countDrops(server) {
      for (const statement of sql.setUp) await server.query(statement)
      return {
        config: { connection_url: sql.connectionUrl(server) },
        drops: () => server.query<Drop>(sql.drops),
        close: async () => {},
      }
    },
    async users(server) {
      const rows = await server.query<{ name: string }>(sql.users)
      return rows.map(({ name }) => name)
    },
    sessions: (session, users) => session.query<UserSessions>(sql.sessions, [users]),
  }
}

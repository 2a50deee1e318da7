import { createConnection, escapeId, escape as quoted, type RowDataPacket } from 'mysql2/promise'
import type { DatabaseUser, OpenUsers } from './users.ts'

interface Account {
  readonly user: string
  readonly host: string
}

/** When the password was set, which is when Vault made the user. */
const accountsOf = {
  mysql: 'select user as user, unix_timestamp(password_last_changed) as seconds from mysql.user',
  mariadb: `select user as user, json_value(priv, '$.password_last_changed') as seconds from mysql.global_priv`,
}

/** What names a user as its definer, and fails for everybody when the user is gone. */
const definitions = `select concat('view ', table_schema, '.', table_name) as what, 'view' as kind, table_schema as place, table_name as name, definer from information_schema.views
  union all select concat(lower(routine_type), ' ', routine_schema, '.', routine_name), lower(routine_type), routine_schema, routine_name, definer from information_schema.routines
  union all select concat('trigger ', trigger_schema, '.', trigger_name), 'trigger', trigger_schema, trigger_name, definer from information_schema.triggers
  union all select concat('event ', event_schema, '.', event_name), 'event', event_schema, event_name, definer from information_schema.events`

interface Definition {
  readonly what: string
  readonly kind: string
  readonly place: string
  readonly name: string
  readonly definer: string
}

/** The users of a MySQL or MariaDB. Nothing there is owned but views, routines, triggers and events, by their definer. */
export const openMySqlUsers: OpenUsers = async (url) => {
  const connection = await createConnection({ uri: url.replace(/^mariadb:/, 'mysql:') })
  connection.on('error', () => {})
  const rows = async <Row>(sql: string, values: unknown[] = []): Promise<Row[]> =>
    (await connection.query<(Row & RowDataPacket)[]>(sql, values))[0]
  const [server] = await rows<{ version: string }>('select version() as version')
  const accounts = accountsOf[server?.version.includes('MariaDB') ? 'mariadb' : 'mysql']

  const hostsOf = async (username: string): Promise<Account[]> =>
    await rows<Account>('select user as user, host as host from mysql.user where user = ?', [username])
  const sessionsOf = async (username: string): Promise<number[]> => {
    const found = await rows<{ id: number }>('select id from information_schema.processlist where user = ?', [
      username,
    ])
    return found.map(({ id }) => id)
  }
  const definedBy = async (username: string): Promise<Definition[]> => {
    const all = await rows<Definition>(
      `select * from (${definitions}) as d where definer like ? escape '|'`,
      [`${username.replace(/[|%_]/g, '|$&')}@%`],
    )
    return all.filter(({ definer }) => definer.slice(0, definer.lastIndexOf('@')) === username)
  }

  return {
    async list() {
      const users = new Map<string, DatabaseUser>()
      for (const { user, seconds } of await rows<Account & { seconds: string | null }>(accounts)) {
        const madeAt = Number(seconds) * 1_000 || undefined
        users.set(user, { username: user, madeAt, validUntil: undefined })
      }
      return [...users.values()]
    },
    async sessions() {
      const found = await rows<{ user: string; host: string }>(
        'select user as user, host as host from information_schema.processlist where id <> connection_id()',
      )
      return found.map(({ user, host }) => ({ username: user, from: host || undefined, since: undefined }))
    },
    async now() {
      const [row] = await rows<{ now: string }>('select unix_timestamp() as now')
      return Number(row?.now) * 1_000
    },
    async belongingsOf(username) {
      if ((await hostsOf(username)).length === 0) return undefined
      const [sessions, defined] = [await sessionsOf(username), await definedBy(username)]
      return { sessions: sessions.length, owns: defined.map(({ what }) => what) }
    },
    async drop(username, ownership) {
      for (const { kind, place, name, what } of await definedBy(username)) {
        if (ownership === undefined) throw new Error(`it is the definer of ${what}`)
        await connection.query(`drop ${kind} ${escapeId(place)}.${escapeId(name)}`)
      }
      // First, so that nobody comes back between.
      for (const { user, host } of await hostsOf(username)) {
        await connection.query(`drop user ${quoted(user)}@${quoted(host)}`)
      }
      for (const id of await sessionsOf(username)) await connection.query(`kill ${id}`).catch(ifStillThere)
    },
    [Symbol.asyncDispose]: () => connection.end(),
  }
}

const noSuchThread = 1094

function ifStillThere(error: unknown): void {
  if (!(error instanceof Error && 'errno' in error && error.errno === noSuchThread)) throw error
}

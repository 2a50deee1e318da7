import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import type { DatabaseUser, OpenUsers, Ownership, UserSession } from './users.ts'

const sessionsEndWithinMs = 10_000

const allUsers = `select rolname as "username", (extract(epoch from nullif(rolvaliduntil, 'infinity')) * 1000)::float8 as "validUntil"
  from pg_roles`

/** In which databases there is something of a user: what it owns, or what it was granted. The catalog is shared by all. */
const places = `select d.datname as "database", bool_or(s.deptype = 'o') as "owns"
  from pg_shdepend s join pg_database d on d.oid = s.dbid or (s.dbid = 0 and d.datname = current_database())
  where s.refclassid = 'pg_authid'::regclass and s.refobjid = (select oid from pg_roles where rolname = $1) group by 1`

/** Of this database, and of what all share. */
const owned = `select pg_describe_object(classid, objid, objsubid) as "what" from pg_shdepend
  where refclassid = 'pg_authid'::regclass and refobjid = (select oid from pg_roles where rolname = $1) and deptype = 'o'
  and dbid in (0, (select oid from pg_database where datname = current_database())) order by 1`

const allSessions = `select usename as "username", coalesce(client_addr::text, 'socket') as "from",
  (extract(epoch from backend_start) * 1000)::float8 as "since" from pg_stat_activity where usename is not null and pid <> pg_backend_pid()`

const countSessions = `select count(*)::int as "sessions" from pg_stat_activity where usename = $1`

/** The users of a PostgreSQL. What a user owns is looked for in every database. */
export const openPostgresUsers: OpenUsers = async (url) => {
  const client = await connect(url)
  const rows = async <Row extends object>(sql: string, values: unknown[] = []): Promise<Row[]> =>
    (await client.query<Row>(sql, values)).rows
  const sessionsOf = async (username: string): Promise<number> =>
    (await rows<{ sessions: number }>(countSessions, [username]))[0]?.sessions ?? 0

  const inEach = async (username: string, run: (client: pg.Client) => Promise<void>): Promise<void> => {
    for (const { database } of await rows<{ database: string }>(places, [username])) {
      await inDatabase(url, database, run)
    }
  }
  const ownedBy = async (username: string): Promise<string[]> => {
    const found = new Set<string>()
    for (const { database, owns } of await rows<{ database: string; owns: boolean }>(places, [username])) {
      if (!owns) continue
      await inDatabase(url, database, async (there) => {
        const { rows } = await there.query<{ what: string }>(owned, [username])
        for (const { what } of rows)
          found.add(/^(database|tablespace) /.test(what) ? what : `${what} in ${database}`)
      })
    }
    return [...found]
  }

  return {
    async list() {
      const users = await rows<Omit<DatabaseUser, 'madeAt'> & { validUntil: number | null }>(allUsers)
      return users.map(({ username, validUntil }) => ({
        username,
        madeAt: undefined,
        validUntil: validUntil ?? undefined,
      }))
    },
    sessions: () => rows<UserSession>(allSessions),
    async now() {
      const [row] = await rows<{ now: Date }>('select clock_timestamp() as now')
      return row?.now.getTime() ?? Date.now()
    },
    async belongingsOf(username) {
      const [user] = await rows('select 1 from pg_roles where rolname = $1', [username])
      if (!user) return undefined
      return { sessions: await sessionsOf(username), owns: await ownedBy(username) }
    },
    async drop(username, ownership) {
      const name = client.escapeIdentifier(username)
      // Whoever has its password does not come back meanwhile.
      await client.query(`alter role ${name} nologin`)
      await client.query('select pg_terminate_backend(pid) from pg_stat_activity where usename = $1', [
        username,
      ])
      await untilNone(() => sessionsOf(username))
      const owns = ownership === undefined ? await ownedBy(username) : []
      if (owns.length > 0) throw new Error(`it owns ${owns.join(', ')}`)
      // Where it owns nothing, "drop owned" takes back what it was granted.
      await inEach(username, async (there) => {
        for (const statement of giveUp(name, ownership)) await there.query(statement)
      })
      await client.query(`drop role ${name}`)
    },
    [Symbol.asyncDispose]: () => client.end(),
  }
}

function giveUp(name: string, ownership: Ownership): readonly string[] {
  const dropOwned = `drop owned by ${name}`
  if (typeof ownership !== 'object') return [dropOwned]
  return [`reassign owned by ${name} to ${pg.escapeIdentifier(ownership.reassignTo)}`, dropOwned]
}

async function untilNone(count: () => Promise<number>): Promise<void> {
  for (const end = performance.now() + sessionsEndWithinMs; (await count()) > 0; await sleep(50)) {
    if (performance.now() > end) throw new Error('its sessions do not end')
  }
}

async function inDatabase(
  url: string,
  database: string,
  run: (client: pg.Client) => Promise<void>,
): Promise<void> {
  const there = new URL(url)
  there.pathname = `/${encodeURIComponent(database)}`
  const client = await connect(there.href)
  try {
    await run(client)
  } finally {
    await client.end()
  }
}

async function connect(connectionString: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString })
  client.on('error', () => {})
  await client.connect()
  return client
}

import { settlesWithin } from '@vault-lease/core/adapter'
import { detach } from '../../pgbouncer/detached.ts'
import { type Finding, failed, ok, warning } from '../finding.ts'
import { links } from '../links.ts'
import { databaseClock } from './clock.ts'
import { answersWithinMs, type DatabaseSession, endsWithinMs, type Load, type Named } from './examined.ts'
import { roomFor } from './room.ts'

/** A row has to fit into a page; the other columns of pg_class take some of it. */
const largestRelacl = 7_900
const muchRelacl = 0.5
const tooMuchRelacl = 0.9

/** The form of the user names that Vault makes when nobody tells it another one. */
const ofVault = `like 'v-%'`

/** Not of the application: a static role's user has a name of its own. */
const ofOthers = `usename not ${ofVault} and usename <> session_user`

type Row = Readonly<Record<string, unknown>>

export async function openPostgresql(connectionString: string): Promise<DatabaseSession> {
  const { default: pg } = await import('pg')
  const client = new pg.Client({
    connectionString,
    connectionTimeoutMillis: answersWithinMs,
    query_timeout: answersWithinMs,
  })
  client.on('error', () => {})
  await client.connect()
  const first = async (sql: string): Promise<Row> => (await client.query<Row>(sql)).rows[0] ?? {}
  return {
    user: async () => `${(await first('select session_user as name'))['name']}`,
    async look(load): Promise<readonly Named[]> {
      return [
        ['clock', await clockOf(first)],
        ['connections', await roomOf(first, load)],
        ['grants', await grantsOf(first)],
        ['objects', await objectsOf(first)],
        ['expired users', await expiredOf(first)],
      ]
    },
    async close() {
      detach(client)
      await settlesWithin(client.end(), endsWithinMs)
    },
  }
}

type First = (sql: string) => Promise<Row>

async function clockOf(first: First): Promise<Finding> {
  const began = Date.now()
  const { ms } = await first('select extract(epoch from clock_timestamp()) * 1000 as ms')
  return databaseClock(Number(ms), (began + Date.now()) / 2)
}

async function roomOf(first: First, load: Load): Promise<Finding> {
  const row = await first(`select
    current_setting('max_connections')::int
      - current_setting('superuser_reserved_connections')::int
      - coalesce(current_setting('reserved_connections', true), '0')::int as server,
    (select datconnlimit from pg_database where datname = current_database()) as database,
    (select count(*) from pg_stat_activity where ${ofOthers}) as others,
    (select count(*) from pg_stat_activity where ${ofOthers} and datname = current_database()) as "othersHere"`)
  const server = Number(row['server'])
  const ofDatabase = Number(row['database'])
  return ofDatabase >= 0 && ofDatabase < server
    ? roomFor(
        load,
        {
          limitName: 'CONNECTION LIMIT of the database',
          limit: ofDatabase,
          others: Number(row['othersHere']),
        },
        links.postgresConnections,
      )
    : roomFor(
        load,
        {
          limitName: 'max_connections (less what is reserved)',
          limit: server,
          others: Number(row['others']),
        },
        links.postgresConnections,
      )
}

async function grantsOf(first: First): Promise<Finding> {
  const { name, size } = await first(`select oid::regclass::text as name, pg_column_size(relacl) as size
    from pg_class where relacl is not null order by 2 desc limit 1`)
  if (name === undefined) return ok('no table has grants of its own')
  const used = Number(size) / largestRelacl
  const found = `the grants on ${name} fill ${Math.round(used * 100)} % of their row`
  if (used < muchRelacl) return ok(found)
  const report = used < tooMuchRelacl ? warning : failed
  return report(
    `${found}; when it is full no user can be created (54000, row is too big)`,
    'Drop the users that are left over (vault-lease orphans), and make users members of one group role in the creation_statements, in place of grants for each.',
    links.postgresMembership,
  )
}

async function objectsOf(first: First): Promise<Finding> {
  const { objects, users } =
    await first(`select count(*) as objects, string_agg(distinct rolname, ', ') as users
    from pg_shdepend join pg_roles on pg_roles.oid = refobjid
    where refclassid = 'pg_authid'::regclass and deptype = 'o' and rolname ${ofVault}`)
  return Number(objects) === 0
    ? ok('none belongs to a user of Vault')
    : warning(
        `${objects} belong to users of Vault (${users}), which cannot be dropped then`,
        'Have the application create them as a role that stays (option setRole), and give these away: reassign owned by … to …',
        links.postgresDropRole,
      )
}

async function expiredOf(first: First): Promise<Finding> {
  const { users, sessions } = await first(`select count(distinct rolname) as users, count(pid) as sessions
    from pg_roles left join pg_stat_activity on usename = rolname
    where rolname ${ofVault} and rolvaliduntil < clock_timestamp()`)
  if (Number(users) === 0) return ok('none')
  return warning(
    `${users}, with ${sessions} open sessions: Vault has not dropped them`,
    'Look what is left over (vault-lease orphans), and have the revocation_statements end the sessions of a user before they drop it.',
    links.postgresDropRole,
  )
}

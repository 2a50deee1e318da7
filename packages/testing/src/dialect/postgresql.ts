import type { Dialect } from './dialect.ts'
import { sqlDialect } from './sql.ts'

export const postgresql: Dialect = sqlDialect({
  plugin: 'postgresql-database-plugin',
  connectionUrl: ({ host, port, database }) =>
    `postgresql://{{username}}:{{password}}@${host}:${port}/${database}?sslmode=disable&connect_timeout=3`,
  setUp: [
    'create schema if not exists vault_lease_test',
    'create table if not exists vault_lease_test.drops (username text, open_sessions int, at timestamptz default clock_timestamp(), id serial)',
  ],
  creationStatements: () => [
    `CREATE ROLE "{{name}}" WITH LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'`,
    'GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO "{{name}}"',
    'GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO "{{name}}"',
  ],
  // The count is taken in the transaction that drops the user: no sampling can miss it.
  revocationStatements: [
    `INSERT INTO vault_lease_test.drops (username, open_sessions) SELECT '{{name}}', count(*) FROM pg_stat_activity WHERE usename = '{{name}}'`,
    'REVOKE ALL PRIVILEGES ON ALL TABLES IN SCHEMA public FROM "{{name}}"',
    'REVOKE ALL PRIVILEGES ON ALL SEQUENCES IN SCHEMA public FROM "{{name}}"',
    'DROP ROLE IF EXISTS "{{name}}"',
  ],
  users: `select rolname as name from pg_roles where rolname like 'v-%' order by 1`,
  drops: `select username, open_sessions as "openSessions", (extract(epoch from at) * 1000)::float8 as at
    from vault_lease_test.drops order by id`,
  sessions: `select usename as name, count(*)::int as sessions from pg_stat_activity
    where backend_type = 'client backend' and usename like $1 group by 1`,
})

import type { Dialect } from './dialect.ts'
import { sqlDialect } from './sql.ts'

/**
 * A session that has said farewell is listed for a moment longer, after its client has seen the end of it: MariaDB 10.11 calls
 * it Quit, Killed or Busy then. One whose statement still runs is open, whatever it is called.
 */
const open = `(command not in ('Quit', 'Killed', 'Busy') or info is not null)`

export const mysql: Dialect = sqlDialect({
  plugin: 'mysql-database-plugin',
  connectionUrl: ({ host, port }) => `{{username}}:{{password}}@tcp(${host}:${port})/?timeout=3s`,
  setUp: [
    'create database if not exists vault_lease_test',
    'create table if not exists vault_lease_test.drops (username varchar(64), open_sessions int, at timestamp(6) default current_timestamp(6), id serial)',
  ],
  creationStatements: (database) => [
    `CREATE USER '{{name}}'@'%' IDENTIFIED BY '{{password}}'`,
    `GRANT SELECT, INSERT, UPDATE, DELETE ON \`${database}\`.* TO '{{name}}'@'%'`,
  ],
  revocationStatements: [
    `INSERT INTO vault_lease_test.drops (username, open_sessions) SELECT '{{name}}', count(*) FROM information_schema.processlist WHERE user = '{{name}}' AND ${open}`,
    // Its grants go with it. Who is gone already is no error: what was given up in the midst of it is begun again.
    `DROP USER IF EXISTS '{{name}}'@'%'`,
  ],
  users: `select user as name from mysql.user where user like 'v-%' order by 1`,
  drops: `select username, open_sessions as openSessions, unix_timestamp(at) * 1000 as at from vault_lease_test.drops order by id`,
  sessions: `select user as name, count(*) as sessions from information_schema.processlist where ${open} and user like ? group by user`,
})

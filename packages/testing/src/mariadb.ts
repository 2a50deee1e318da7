import { execFile } from 'node:child_process'
import { chownSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import mysql from 'mysql2/promise'
import { findMariaDb } from './binaries.ts'
import {
  type Connection,
  connectionBy,
  type DatabaseServer,
  type DatabaseServerOptions,
  existingServer,
  type Place,
  placeOf,
  queryOnce,
  type SuperuserSession,
} from './database-server.ts'
import { freeze } from './freeze.ts'
import { KeptData } from './kept-data.ts'
import { type Home, type OwnServer, runAs, startOwn } from './own-server.ts'
import { randomPassword } from './random-password.ts'
import { ServerProcess } from './server-process.ts'

const superuser = 'vault_lease_admin'
const ownPassword = randomPassword()
const database = 'app'
const addressVariable = 'VAULT_LEASE_TEST_MYSQL_URL'

/**
 * Starts MariaDB on an ephemeral port of 127.0.0.1: the MySQL or MariaDB that VAULT_LEASE_TEST_MYSQL_URL names (a
 * superuser's URL; it can be neither restarted nor paused), else an installed one, else Debian's `mariadb-server`, which
 * root can have installed.
 *
 * @throws ServerUnavailableError when there is none to be had.
 */
export async function startMariaDb(options: DatabaseServerOptions = {}): Promise<DatabaseServer> {
  const url = process.env[addressVariable]
  if (!url) return await ownMariaDb(options)
  return existingServer(connectionTo(placeOf(new URL(url), { port: 3306, database })), addressVariable)
}

async function ownMariaDb({
  maxConnections = 300,
  tls,
  folder: keptIn,
}: DatabaseServerOptions): Promise<DatabaseServer> {
  const { server: program, installDb } = await findMariaDb()
  const kept = keptIn === undefined ? undefined : new KeptData(keptIn)
  const own = (port: number): Place => ownPlace(port, kept?.password ?? ownPassword)
  const folders = ({ folder, data }: Home): string[] => [
    ...['--no-defaults', `--datadir=${data}`],
    // A server that starts removes the temporary tables of every other that shares its folder for them.
    `--tmpdir=${folder}`,
  ]
  const server: OwnServer = {
    async initialise(home) {
      const args = [...folders(home), '--skip-test-db', '--auth-root-authentication-method=normal']
      await promisify(execFile)(installDb, args, runAs(home))
      if (tls) writeTlsFiles(home, tls)
    },
    start: (home, port) =>
      ServerProcess.start({
        name: 'mariadbd',
        command: program,
        args: [
          ...[...folders(home), `--port=${port}`, '--bind-address=127.0.0.1'],
          ...[`--socket=${join(home.folder, 'socket')}`, `--pid-file=${join(home.folder, 'pid')}`],
          // Else 127.0.0.1 becomes localhost, where users of '%' are others.
          ...['--skip-name-resolve', '--skip-log-bin', '--innodb-flush-log-at-trx-commit=2'],
          ...['--innodb-buffer-pool-size=32M', `--max-connections=${maxConnections}`],
          ...(tls
            ? [
                `--ssl-cert=${join(home.folder, tlsFiles.cert)}`,
                `--ssl-key=${join(home.folder, tlsFiles.key)}`,
              ]
            : []),
        ],
        folder: home.folder,
        uid: home.uid,
        ready: () =>
          queryOnce(openSession(own(port)), 'select 1').catch(() =>
            queryOnce(openSession(asRoot(port)), 'select 1'),
          ),
      }),
    async setUp(port) {
      const root = await openSession(asRoot(port))
      await root.query(`create database ${database}`)
      const { user, password } = own(port).superuser
      await root.query(`create user '${user}'@'%' identified by '${password}'`)
      await root.query(`grant all privileges on *.* to '${user}'@'%' with grant option`)
      await root.end()
      const connection = connectionTo(own(port))
      const open = await connection.query<{ name: string }>(openUsers)
      for (const { name } of open) await connection.query(`drop user ${name}`)
    },
    connection: (port) => connectionTo(own(port)),
    pause: ({ pid }) => freeze(pid),
    resume: (running) => running.signal('SIGCONT'),
    signals: { immediate: 'SIGKILL', fast: 'SIGTERM' },
  }
  return await startOwn(server, kept)
}

const tlsFiles = { cert: 'certificate.pem', key: 'key.pem' }

function writeTlsFiles({ folder, uid }: Home, tls: NonNullable<DatabaseServerOptions['tls']>): void {
  for (const part of ['cert', 'key'] as const) {
    const path = join(folder, tlsFiles[part])
    writeFileSync(path, tls[part], { mode: 0o600 })
    if (uid !== undefined) chownSync(path, uid, uid)
  }
}

/** What there is before our own database and superuser are made. */
function asRoot(port: number): Place {
  return { host: '127.0.0.1', port, database: 'mysql', superuser: { user: 'root', password: '' } }
}

function ownPlace(port: number, password: string): Place {
  return { host: '127.0.0.1', port, database, superuser: { user: superuser, password } }
}

/** Root and nobody, whom a new server lets in without a password. */
const openUsers = `select concat(quote(user), '@', quote(host)) as name from mysql.user where user in ('root', '')`

function connectionTo(place: Place): Connection {
  return connectionBy('mysql', place, openSession)
}

async function openSession({ host, port, database, superuser }: Place): Promise<SuperuserSession> {
  const options = { host, port, database, ...superuser, connectTimeout: 5_000 }
  const connection = await mysql.createConnection({
    ...options,
    multipleStatements: true,
    decimalNumbers: true,
  })
  connection.on('error', () => {})
  return {
    async query<Row extends object>(sql: string, values?: unknown[]): Promise<Row[]> {
      const [rows] = await connection.query(sql, values)
      return rows as Row[]
    },
    end: () => connection.end().catch(() => connection.destroy()),
  }
}

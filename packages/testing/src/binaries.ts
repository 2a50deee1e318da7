import { accessSync, constants, existsSync, readdirSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { downloadFromDebian, downloadOpenBao, downloadPostgres, installByApt } from './pinned.ts'
import { ServerUnavailableError } from './server-unavailable.ts'

/** Debian keeps PostgreSQL's server programs off the PATH. */
const debianPostgres = '/usr/lib/postgresql'

/** Set to `download` to leave installed servers alone and use the pinned ones. */
const preferDownload = (): boolean => process.env['VAULT_LEASE_TEST_PREFER'] === 'download'

/** The folder with PostgreSQL's `initdb` and `postgres`. */
export async function findPostgres(): Promise<string> {
  const installed = [...onPath(), ...debianFolders()].find((folder) =>
    ['initdb', 'postgres'].every((name) => isExecutable(join(folder, name))),
  )
  return installed && !preferDownload() ? installed : await downloadPostgres()
}

/** MariaDB's server program, and the one that makes its data folder. */
export async function findMariaDb(): Promise<{ readonly server: string; readonly installDb: string }> {
  const found = installedMariaDb() ?? (await installByApt('mariadb-server').then(installedMariaDb))
  if (found) return found
  throw new ServerUnavailableError(
    'Neither mariadbd nor mysqld of MariaDB is on the PATH. Install MariaDB (on Debian: apt-get install mariadb-server).',
  )
}

function installedMariaDb(): { server: string; installDb: string } | undefined {
  const server = executable('mariadbd')
  const installDb = executable('mariadb-install-db')
  return server && installDb ? { server, installDb } : undefined
}

/** PgBouncer. */
export async function findPgBouncer(): Promise<string> {
  const found =
    executable('pgbouncer') ?? (await installByApt('pgbouncer').then(() => executable('pgbouncer')))
  if (found) return found
  throw new ServerUnavailableError(
    'pgbouncer is not on the PATH. Install PgBouncer (on Debian: apt-get install pgbouncer).',
  )
}

/** The server program of Redis, or of Valkey. */
export async function findRedis(): Promise<string> {
  const installed = (): string | undefined => executable('redis-server', 'valkey-server')
  const found = installed() ?? (await installByApt('redis-server').then(installed))
  if (found) return found
  throw new ServerUnavailableError(
    'Neither redis-server nor valkey-server is on the PATH. Install Redis (on Debian: apt-get install redis-server).',
  )
}

/** Prometheus, and the tool that checks its rules. */
export async function findPrometheus(): Promise<{ readonly server: string; readonly promtool: string }> {
  const server = executable('prometheus')
  const promtool = executable('promtool')
  if (server && promtool && !preferDownload()) return { server, promtool }
  const bin = join(await downloadFromDebian('prometheus'), 'usr', 'bin')
  return { server: join(bin, 'prometheus'), promtool: join(bin, 'promtool') }
}

/** MongoDB's server program, where it is installed. */
export function findMongod(): string | undefined {
  return preferDownload() ? undefined : executable('mongod')
}

/** The `bao` or `vault` binary. */
export async function findVault(): Promise<string> {
  const installed = executable('bao', 'vault')
  return installed && !preferDownload() ? installed : await downloadOpenBao()
}

function executable(...names: string[]): string | undefined {
  return names.flatMap((name) => onPath().map((folder) => join(folder, name))).find(isExecutable)
}

function onPath(): string[] {
  // Servers are in sbin, which is not on every user's PATH.
  const path = `${process.env['PATH'] ?? ''}${delimiter}/usr/sbin`
  return path.split(delimiter).filter((folder) => folder !== '')
}

function debianFolders(): string[] {
  if (!existsSync(debianPostgres)) return []
  const newestFirst = readdirSync(debianPostgres).sort((a, b) => Number(b) - Number(a))
  return newestFirst.map((version) => join(debianPostgres, version, 'bin'))
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

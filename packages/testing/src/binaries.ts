import { accessSync, constants, existsSync, readdirSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { downloadOpenBao, downloadPostgres } from './pinned.ts'

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

/** The `bao` or `vault` binary. */
export async function findVault(): Promise<string> {
  const installed = ['bao', 'vault']
    .flatMap((name) => onPath().map((folder) => join(folder, name)))
    .find(isExecutable)
  return installed && !preferDownload() ? installed : await downloadOpenBao()
}

function onPath(): string[] {
  return (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '')
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

import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { InvalidOptionError } from '@vault-lease/core'
import { CredentialFile } from '../creds/credential-file.ts'

/** The database, as it was named: its URL may say how to encrypt. */
export interface Named {
  readonly url: string
  readonly name: string
}

/** Where PgBouncer listens. */
export interface Listen {
  readonly host: string
  readonly port: number
}

/** A folder with all that PgBouncer needs. */
export interface Configuration {
  readonly ini: string
  /** What the configuration includes: the database, and the login to it. */
  readonly include: string
  /** Holds the URL with which applications connect. */
  readonly applicationUrl: string
  readonly consoleUrl: string
  readonly isNew: boolean
}

const option = '--config'
const application = 'application'
const admin = 'vault_lease'

/**
 * Writes what is not there yet. What is there stays as it is: it may have been changed by hand.
 *
 * @throws InvalidOptionError when the folder cannot be made, or be of use.
 */
export function configurationIn(folder: string, database: Named, listen: Listen): Configuration {
  const path = resolve(folder)
  makeFolder(path)
  const file = (name: string): string => join(path, name)
  const paths = {
    ini: file('pgbouncer.ini'),
    include: file('database.ini'),
    applicationUrl: file('application.url'),
  }
  const consoleUrl = file('console.url')
  const isNew = !existsSync(paths.ini)
  if (isNew) {
    const [applicationPassword, adminPassword] = [randomPassword(), randomPassword()]
    const urlOf = (user: string, password: string, name: string): string =>
      `postgresql://${user}:${password}@${reachable(listen.host)}:${listen.port}/${encodeURIComponent(name)}`
    const users = `"${application}" "${applicationPassword}"\n"${admin}" "${adminPassword}"`
    write(paths.applicationUrl, urlOf(application, applicationPassword, database.name))
    write(consoleUrl, urlOf(admin, adminPassword, 'pgbouncer'))
    write(file('userlist.txt'), users)
    // The last one, by which it is known that all are there.
    write(
      paths.ini,
      iniText({ listen, url: database.url, userlist: file('userlist.txt'), include: paths.include }),
    )
  }
  return { ...paths, consoleUrl: readConsoleUrl(consoleUrl), isNew }
}

function readConsoleUrl(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch (cause) {
    throw new InvalidOptionError(
      `${path} cannot be read. Give ${option} a folder that this command has written, or use --include and --admin beside a configuration of your own.`,
      { cause },
    )
  }
}

interface Ini {
  readonly listen: Listen
  /** Of the database. */
  readonly url: string
  readonly userlist: string
  readonly include: string
}

/** The whole pgbouncer.ini. */
export function iniText({ listen, url, userlist, include }: Ini): string {
  return `; Written once by vault-lease, and yours to change. Databases are in the file that is included at the end.
[pgbouncer]
listen_addr = ${listen.host}
listen_port = ${listen.port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = ${userlist}
admin_users = ${admin}

; In no other mode a user is replaced while its clients stay connected.
pool_mode = transaction
; Without a pool_size of a database's own: while users are replaced, this keeps its pool from growing.
default_pool_size = 20
max_client_conn = 1000
; Seconds for which nobody logs in after a login has failed. The default is 15.
server_login_retry = 1
; Java sends it, and can do without.
ignore_startup_parameters = extra_float_digits
${tlsLines(url)}
%include ${include}`
}

/** As the URL has it for clients of PostgreSQL. */
function tlsLines(url: string): string {
  const { searchParams } = new URL(url)
  return Object.entries({ sslmode: 'server_tls_sslmode', sslrootcert: 'server_tls_ca_file' })
    .flatMap(([parameter, setting]) =>
      searchParams.getAll(parameter).map((value) => `${setting} = ${value}\n`),
    )
    .join('')
}

function makeFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 })
  } catch (cause) {
    throw new InvalidOptionError(`The folder of ${option} ${path} cannot be made.`, { cause })
  }
  if (process.getuid?.() === 0 && statSync(path).uid === 0)
    throw new InvalidOptionError(
      `PgBouncer does not run as root, and could not read ${path}: give the folder to the user that it runs as (chown), or run vault-lease as that user.`,
    )
}

function write(path: string, text: string): void {
  new CredentialFile(path, option).write(text)
}

function randomPassword(): string {
  return randomBytes(24).toString('base64url')
}

/** Who listens everywhere is reached here. */
function reachable(host: string): string {
  if (host === '*' || host === '0.0.0.0') return '127.0.0.1'
  return host.includes(':') ? `[${host}]` : host
}

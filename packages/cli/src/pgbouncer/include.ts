import { existsSync } from 'node:fs'
import { CredentialFile } from '../creds/credential-file.ts'
import type { DatabaseAddress, Login } from '../database/kind.ts'

const nobody = '; There is no database user now.'

/** The file that PgBouncer's configuration includes. It is always there: without it PgBouncer does not start. */
export class Include {
  readonly #address: DatabaseAddress
  readonly #file: CredentialFile
  #hasLogin = false

  /** @throws InvalidOptionError when nothing can be written in its folder. */
  constructor(path: string, option: string, address: DatabaseAddress) {
    this.#address = address
    this.#file = new CredentialFile(path, option)
    if (!existsSync(path)) this.#file.write(nobody)
  }

  write(login: Login): void {
    this.#file.write(includeText(this.#address, login))
    this.#hasLogin = true
  }

  /** The login that was written is over. One that was there before may not be. */
  clear(): void {
    if (this.#hasLogin) this.#file.write(nobody)
  }
}

/** One database, and the login to it. */
export function includeText(
  { host, port, database }: DatabaseAddress,
  { username, password }: Login,
): string {
  const entry = Object.entries({ host, port, dbname: database, user: username, password })
    .map(([name, value]) => `${name}='${value.replaceAll("'", "''")}'`)
    .join(' ')
  return `; The database user in force, written by vault-lease, and again with the next one.\n[databases]\n${identifier(database)} = ${entry}`
}

/** The name of a database, as the configuration and the console take it. */
export function identifier(name: string): string {
  return /^[A-Za-z_][\w]*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`
}

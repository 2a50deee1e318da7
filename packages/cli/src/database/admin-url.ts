import { readFileSync } from 'node:fs'
import { InvalidOptionError } from '@vault-lease/core'
import { type Database, databaseAt } from './database.ts'

const variable = 'VAULT_LEASE_ADMIN_URL'
const form = /^([a-z+]+:\/\/)([^:@/]*)(?::([^@/]*))?@(.*)$/is

/** A database, and the URL with which its superuser logs in: a secret. */
export interface AdminAccess {
  readonly database: Database
  readonly url: string
}

/**
 * From a file, else from VAULT_LEASE_ADMIN_URL: on the command line everybody on the machine could read it.
 *
 * @throws InvalidOptionError when there is none, or it names no login.
 */
export function adminAccess(file: string | undefined): AdminAccess {
  const text = (file === undefined ? process.env[variable] : contentOf(file))?.trim()
  if (!text)
    throw new InvalidOptionError(
      `Which database, and as whom? Put the URL of its superuser, such as postgresql://postgres:…@host/db, into ${variable} or the file --admin-url-file.`,
    )
  return accessAt(text)
}

/**
 * The same, for what can do without: `undefined` when there is none.
 *
 * @throws InvalidOptionError when it names no login.
 */
export function adminAccessIfGiven(file: string | undefined): AdminAccess | undefined {
  return file === undefined && !process.env[variable] ? undefined : adminAccess(file)
}

/** @throws InvalidOptionError when the URL names no login. */
export function accessAt(adminUrl: string): AdminAccess {
  const [, protocol, username, password = '', place] = form.exec(adminUrl) ?? []
  if (protocol === undefined || username === undefined || place === undefined)
    throw new InvalidOptionError('The URL of the superuser names no user: postgresql://postgres:…@host/db.')
  const database = databaseAt(`${protocol}${place}`)
  const login = { username: decodeURIComponent(username), password: decodeURIComponent(password) }
  return { database, url: database.urlFor(login) }
}

function contentOf(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw new InvalidOptionError(`--admin-url-file ${file} cannot be read.`, { cause })
  }
}

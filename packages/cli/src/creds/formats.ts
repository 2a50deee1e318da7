import { InvalidOptionError } from '@vault-lease/core'
import { Option } from 'commander'
import type { Database } from '../database/database.ts'
import type { Login } from '../database/kind.ts'
import { variablesFor } from '../variables.ts'

type Write = (login: Login, database: Database | undefined) => string

const writers = {
  env: (login, database) =>
    Object.entries(variablesFor(login, database))
      .map(([name, value]) => `export ${name}="${value.replaceAll(/["\\$`]/g, '\\$&')}"`)
      .join('\n'),
  json: ({ username, password }, database) =>
    JSON.stringify({ username, password, ...(database && { url: database.urlFor({ username, password }) }) }),
  url: (login, database) => needed(database, 'url').urlFor(login),
  pgpass: ({ username, password }, database) => {
    const { host, port, database: name } = needed(database, 'pgpass').address
    return [host, port, name || '*', username, password].map(escaped).join(':')
  },
  'my.cnf': ({ username, password }, database) =>
    [
      '[client]',
      `user=${quoted(username)}`,
      `password=${quoted(password)}`,
      ...(database ? [`host=${quoted(database.address.host)}`, `port=${database.address.port}`] : []),
    ].join('\n'),
  k8s: (login, database) =>
    [
      'apiVersion: v1',
      'kind: Secret',
      'metadata:',
      '  name: database-credentials',
      'type: Opaque',
      'stringData:',
      ...Object.entries(variablesFor(login, database)).map(
        ([name, value]) => `  ${name}: ${JSON.stringify(value)}`,
      ),
    ].join('\n'),
  lines: ({ username, password }) => `${username}\n${password}`,
} satisfies Record<string, Write>

/** How a credential is written. */
export type Format = keyof typeof writers

/** The option of a subcommand. */
export function formats(byDefault: Format): Option {
  return new Option(
    '--format <format>',
    'how it is written: lines is the user name and then the password; url and pgpass need --url',
  )
    .choices(Object.keys(writers))
    .default(byDefault)
}

/** @throws InvalidOptionError when the format needs to know where the database is. */
export function textIn(format: Format, login: Login, database: Database | undefined): string {
  return writers[format](login, database)
}

function needed(database: Database | undefined, format: string): Database {
  if (!database) throw new InvalidOptionError(`--format ${format} needs --url.`)
  return database
}

/** libpq, "The Password File": a colon and a backslash take a backslash before them. */
function escaped(value: string): string {
  return value.replaceAll(/[:\\]/g, '\\$&')
}

/** MySQL, "Using Option Files": in quotes a # begins no comment. */
function quoted(value: string): string {
  return `"${value.replaceAll(/["\\]/g, '\\$&')}"`
}

import { InvalidOptionError } from '@vault-lease/core'
import type { DatabaseAddress, DatabaseKind, Login } from './kind.ts'
import { mongodb } from './mongodb.ts'
import { mysql } from './mysql.ts'
import { postgresql } from './postgresql.ts'

/** One database that was named. */
export interface Database {
  readonly kind: DatabaseKind
  readonly address: DatabaseAddress
  /** Without a secret. */
  readonly place: string
  urlFor(login: Login): string
  variablesFor(login: Login): Readonly<Record<string, string>>
}

const kinds: readonly DatabaseKind[] = [postgresql, mysql, mongodb]
/** Not by the parser of URLs, which takes only one host. */
const form = /^([a-z+]+):\/\/(?:([^@/]*)@)?([^/?]*)(?:\/([^?]*))?(?:\?.*)?$/i

/** @throws InvalidOptionError when it is not the URL of a database, or names a login. */
export function databaseAt(url: string): Database {
  const [, protocol = '', login, hosts = '', database = ''] = form.exec(url) ?? []
  const kind = kinds.find(({ protocols }) => protocols.includes(protocol.toLowerCase()))
  if (!kind || hosts === '')
    throw new InvalidOptionError(
      'A database is named by a URL: postgresql://host:5432/db, mysql://host:3306/db, mongodb://host:27017/db.',
    )
  if (login !== undefined)
    throw new InvalidOptionError('Leave the user and the password out of the URL: they come from Vault.')
  const [first = ''] = hosts.split(',')
  const [, host = first, port = kind.port] = /^(.*?)(?::(\d+))?$/.exec(first) ?? []
  if (Number(port) > 65_535)
    throw new InvalidOptionError(`The URL of the database has the port ${port}, which is none.`)
  const address = { host: host.replace(/^\[|\]$/g, ''), port, database: decoded(database) }
  const completed = kind.complete?.(url) ?? url
  const urlFor = ({ username, password }: Login): string =>
    completed.replace('://', () => `://${encodeURIComponent(username)}:${encodeURIComponent(password)}@`)
  return {
    kind,
    address,
    place: `${protocol}://${hosts}/${database}`,
    urlFor,
    variablesFor: (login) => ({
      ...kind.variables(address, login, urlFor(login)),
      DATABASE_URL: urlFor(login),
    }),
  }
}

function decoded(database: string): string {
  try {
    return decodeURIComponent(database)
  } catch (cause) {
    throw new InvalidOptionError(
      `The name of the database in the URL, ${database}, is not encoded as in a URL: a "%" is %25 there.`,
      { cause },
    )
  }
}

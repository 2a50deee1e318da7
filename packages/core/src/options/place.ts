import { InvalidOptionError } from '../errors.ts'

/** Where a database is, and how many connections a pool may have to it, as drivers take it. */
export interface Place {
  readonly host?: unknown
  readonly port?: unknown
  readonly database?: unknown
}

const highestPort = 65_535

/**
 * Refuses what drivers take and then go wrong with: some at another server, some by an error that nobody can catch.
 *
 * @throws InvalidOptionError
 */
export function checkPlace({ host, port, database }: Place): void {
  check('host', isText(host), 'a text')
  // Kubernetes sets variables such as POSTGRES_PORT to the URL of a service.
  check('port', isPort(port), `a number from 0 to ${highestPort}`)
  check('database', isText(database), 'a text')
}

/**
 * Refuses the size of a pool that no connection fits in.
 *
 * @throws InvalidOptionError
 */
export function checkPoolSize(name: string, size: unknown, least: number): void {
  const isSize = isAbsent(size) || (typeof size === 'number' && size >= least)
  check(name, isSize, `a number, ${least} at least`)
}

function check(name: string, holds: boolean, what: string): void {
  if (!holds) throw new InvalidOptionError(`The option "${name}" takes ${what}.`)
}

function isAbsent(value: unknown): boolean {
  return value === undefined || value === null
}

function isText(value: unknown): boolean {
  // NUL ends a text in the protocols of databases, and begins the next parameter.
  return isAbsent(value) || (typeof value === 'string' && !value.includes('\0'))
}

function isPort(value: unknown): boolean {
  return isAbsent(value) || value === '' || (/^\d+$/.test(String(value)) && Number(value) <= highestPort)
}

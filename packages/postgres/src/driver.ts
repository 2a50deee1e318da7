import type { Duplex } from 'node:stream'
import { InvalidOptionError } from '@vault-lease/core'
import type { Options, PostgresType, ParsedOptions as Published, Sql } from 'postgres'

/** The options of postgres.js, as it takes them apart, with what its published types leave out. */
export interface ParsedOptions extends Omit<Published, 'path' | 'ssl' | 'keep_alive' | 'backoff'> {
  readonly path: string | false | undefined
  readonly ssl: string | boolean | object
  readonly sslnegotiation?: string | null
  readonly keep_alive: number | null
  readonly socket?: ((options: object) => Duplex | Promise<Duplex>) | undefined
  readonly backoff: number | boolean | ((retries: number) => number)
  readonly fetch_types: boolean
  readonly parameters: Record<string, string>
}

/** Any custom types. */
export type Types = Record<string, PostgresType>

/** What is given to `postgres()`, with what its published types leave out. */
export type DriverOptions<T extends Types> = Options<T> & {
  /** Opens the connection to the server, as through a tunnel. */
  readonly socket?: ParsedOptions['socket']
}

/** A query of postgres.js on its way, or a caller of `reserve()` who waits. */
export interface DriverQuery {
  readonly cursorFn?: unknown
  readonly active?: boolean
  reserve?: (connection: DriverConnection) => unknown
  reject(error: unknown): unknown
}

/** One of the places for a connection that a client of postgres.js has for all its life. */
export interface DriverConnection {
  readonly id: number
  /** The list of the client's that it stands in, by what it does. */
  queue: { remove(connection: DriverConnection): unknown; push(connection: DriverConnection): unknown }
  idleTimer: { start(): void; cancel(): void }
  /** Called when it can do the next thing for who has it to himself. */
  reserved?: ((() => unknown) & { release?: boolean }) | null
  /** Tells who holds a transaction on it that it is lost. */
  onclose?: ((error: Error) => void) | null
  connect(first: DriverQuery): void
  execute(query: DriverQuery): unknown
  /** Ends it when what it has to do is done. It can be opened again. */
  end(): Promise<void>
  /** Ends it at once. */
  terminate(): void
}

/** What a query knows of the session that it runs in. */
export interface Backend {
  readonly pid: number | null
  readonly secret: number | null
}

/** A template function of postgres.js. */
export type Tag = (strings: TemplateStringsArray) => { handler(query: unknown): unknown }

/** A client of postgres.js, with what its published types leave out. */
export interface DriverSql extends Omit<Sql, 'options' | 'listen' | 'subscribe'> {
  readonly options: ParsedOptions
  listen: Sql['listen'] & { readonly sql?: Satellite }
  subscribe: Sql['subscribe'] & { readonly sql?: Satellite }
}

/** A client that a client has beside it, for one connection. */
interface Satellite {
  close(): Promise<void>
}

/** @throws InvalidOptionError when it is not a connection of a postgres.js that works the way this package needs. */
export function asDriverConnection(connection: unknown): DriverConnection {
  const { id, queue, idleTimer, ...rest } = connection as Partial<DriverConnection>
  const methods = ['connect', 'execute', 'end', 'terminate'] as const
  const isKnown =
    typeof id === 'number' &&
    typeof queue?.remove === 'function' &&
    typeof queue.push === 'function' &&
    typeof idleTimer?.start === 'function' &&
    typeof idleTimer.cancel === 'function' &&
    methods.every((method) => typeof rest[method] === 'function')
  if (!isKnown) throw unsupported('a connection lacks queue, idleTimer, connect, execute, end or terminate')
  return connection as DriverConnection
}

export function unsupported(what: string): InvalidOptionError {
  return new InvalidOptionError(
    `This version of postgres is not supported: ${what}. Use postgres 3.4, or upgrade @vault-lease/postgres.`,
  )
}

/** A database server for tests. */
export interface DatabaseServer extends AsyncDisposable {
  readonly kind: 'postgresql' | 'mysql' | 'mongodb' | 'redis'
  /** Always 127.0.0.1, unless the environment names a server. */
  readonly host: string
  readonly port: number
  /** A database of its own. */
  readonly database: string
  readonly superuser: { readonly user: string; readonly password: string }
  /**
   * Runs a statement as the superuser. A statement is SQL; for MongoDB it is a command as Extended JSON, such as
   * `{"insert":"items","documents":[{"_id":1}]}`, that runs on `database`, or on the database that `"$db"` in it names. Its
   * rows are the first batch of the cursor in the reply, else the reply itself. For Redis it is a command as a JSON array, such as
   * `["SET","key","value"]`, with one row: `{ reply }`.
   */
  query<Row extends object>(statement: string, values?: unknown[]): Promise<Row[]>
  /** Opens a session of the superuser. */
  connect(): Promise<SuperuserSession>
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

/** A session that stays open between statements. */
export interface SuperuserSession {
  /** As that of the server. */
  query<Row extends object>(statement: string, values?: unknown[]): Promise<Row[]>
  end(): Promise<void>
}

/** How a server of our own is started. */
export interface DatabaseServerOptions {
  /** Default: 300. SecantusDB has no limit of its own to set. */
  readonly maxConnections?: number
  /** Where its data stay when it ends, and are found by the next one, which has the same port. Default: they end with it. */
  readonly folder?: string
  /** Certificate and key, as PEM, for those who connect with TLS. MariaDB only, which takes them at its start and never later. */
  readonly tls?: { readonly cert: string; readonly key: string }
}

/** Where a server is, and as whom it is reached. */
export type Place = Pick<DatabaseServer, 'host' | 'port' | 'database' | 'superuser'>

/** What talks to a server that somebody else runs. */
export type Connection = Place & Pick<DatabaseServer, 'kind' | 'query' | 'connect'>

/** A connection whose sessions are opened by a driver. */
export function connectionBy(
  kind: DatabaseServer['kind'],
  place: Place,
  open: (place: Place) => Promise<SuperuserSession>,
): Connection {
  const connect = (): Promise<SuperuserSession> => open(place)
  return { kind, ...place, connect, query: (statement, values) => queryOnce(connect(), statement, values) }
}

/** What a superuser's URL says, and what it leaves out. */
export function placeOf(url: URL, defaults: { readonly port: number; readonly database: string }): Place {
  const { username, password, hostname: host, port, pathname } = url
  return {
    host,
    port: Number(port || defaults.port),
    database: pathname.slice(1) || defaults.database,
    superuser: { user: decodeURIComponent(username), password: decodeURIComponent(password) },
  }
}

/** A server that the environment names: it can be used, but not stopped from here. */
export function existingServer(connection: Connection, variable: string): DatabaseServer {
  const refuse = (): never => {
    throw new Error(`A server given by ${variable} cannot be stopped from here.`)
  }
  return {
    ...connection,
    restart: async () => refuse(),
    kill: async () => refuse(),
    start: async () => {},
    pause: refuse,
    resume: refuse,
    stop: async () => {},
    async [Symbol.asyncDispose]() {},
  }
}

/** Runs one statement in a session of its own. */
export async function queryOnce<Row extends object>(
  connecting: Promise<SuperuserSession>,
  statement: string,
  values?: unknown[],
): Promise<Row[]> {
  const session = await connecting
  try {
    return await session.query<Row>(statement, values)
  } finally {
    await session.end()
  }
}

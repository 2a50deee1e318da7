import { connect, Socket } from 'node:net'
import { type Credential, CredentialsUnavailableError, type LeaseManager } from '@vault-lease/core'
import { notProven, type PoolHooks, RotatingConnections } from '@vault-lease/core/adapter'
import type { Connection, ConnectionOptions } from 'mysql2'
import { asMySqlConnection, type MySqlDriver, type OpenStream, type StreamPlace } from './driver.ts'
import { Session } from './session.ts'

const defaultPort = 3306

const accessDenied = 1045
const accessDeniedWithoutPassword = 1698
const databaseAccessDenied = 1044
const tableAccessDenied = 1142

/** Where connections are made, and with which driver. */
export interface MySqlPlace {
  readonly driver: MySqlDriver
  /** The caller's options, without user and password. */
  readonly options: ConnectionOptions
}

/** The physical MySQL connections of one pool. */
export class MySqlConnections extends RotatingConnections<Session> {
  readonly #lease: LeaseManager
  readonly #driver: MySqlDriver
  readonly #options: ConnectionOptions
  readonly #sessions = new WeakMap<Connection, Session>()
  readonly #credentials = new WeakMap<Session, Credential>()
  #opened: Session | undefined

  constructor(lease: LeaseManager, pool: PoolHooks, { driver, options }: MySqlPlace) {
    super(lease, pool, {
      connectAs: (credential, signal) => this.#connectAs(credential, signal),
      closeUnderHolder: (session, reason) =>
        session.closeUnderHolder(reason, (threadId) => this.#asUserOf(session, `kill ${threadId}`)),
    })
    this.#lease = lease
    this.#driver = driver
    this.#options = options
  }

  /** The driver's option `stream`: it opens each connection with the credential in force at that moment. */
  readonly stream: OpenStream = (place) => {
    const credential = this.#lease.current
    if (credential) return this.#open(place, credential)
    const unavailable = new CredentialsUnavailableError('No database credential may be used at this moment.')
    return new Socket().destroy(unavailable)
  }

  /** Runs what may open one connection through `stream`, and tells which it opened. */
  openedBy(open: () => void): Session | undefined {
    this.#opened = undefined
    open()
    const opened = this.#opened
    this.#opened = undefined
    return opened
  }

  /** Has the driver open a connection through `stream`. */
  connect(open: () => Connection): Connection {
    let connection: Connection | undefined
    const session = this.openedBy(() => {
      connection = open()
    })
    if (!connection) throw new Error('the driver did not open a connection')
    if (session) this.adopt(session, connection)
    return connection
  }

  /** The driver's connection of a session is known now. */
  adopt(session: Session, documented: Connection): void {
    const connection = asMySqlConnection(documented)
    session.adopt(connection)
    this.#sessions.set(connection, session)
    connection.on('error', (error) => this.noteError(session, error))
    const handlePacket = connection.handlePacket.bind(connection)
    connection.handlePacket = (packet) => {
      if (packet?.isError()) this.#noteErrno(session, packet.clone().asError('utf8').errno)
      handlePacket(packet)
    }
  }

  /** Whether the connection has ended, or belongs to another generation than the one in force. */
  isConnectionStale(connection: Connection): boolean {
    const session = this.#sessions.get(connection)
    return session === undefined || this.isStale(session)
  }

  /** Closes a connection that nobody uses any more. Resolves when the server has closed it too. */
  async closeWhenIdle(connection: Connection): Promise<void> {
    await this.#sessions.get(connection)?.closeWhenIdle(this.#driver)
  }

  /** Ends the statement that the connection runs, from a connection of its own. */
  async cancelStatement(connection: Connection): Promise<void> {
    const session = this.#sessions.get(connection)
    if (session) await this.#asUserOf(session, `kill query ${connection.threadId}`)
  }

  /** Remembers which generation the server refused. */
  noteError(session: Session, error: Error): void {
    const errno = errnoOf(error)
    if (isRefusal(errno)) this.noteRefusal(session, error)
    else this.#noteErrno(session, errno)
  }

  #noteErrno(session: Session, errno: unknown): void {
    if (errno !== tableAccessDenied && errno !== databaseAccessDenied) return
    const generation = this.generationOf(session)
    if (generation !== undefined) this.#lease.suspected(generation)
  }

  #open(place: StreamPlace, credential: Credential): Socket {
    const { config } = place
    config.user = credential.username
    // Whoever prints the connection does not print this.
    Object.defineProperty(config, 'password', {
      value: credential.password,
      enumerable: false,
      writable: true,
    })
    const socket = openSocket(place, this.#options.stream)
    const session = new Session(socket)
    this.#credentials.set(session, credential)
    this.opening(session, credential.generation)
    void session.closed().then(() => this.closed(session))
    this.#opened = session
    return socket
  }

  async #connectAs(credential: Credential, signal: AbortSignal): Promise<void> {
    try {
      await this.#withConnectionAs(credential, async (connection) => {
        const abort = (): void => this.#sessions.get(connection)?.abort(signal.reason)
        signal.addEventListener('abort', abort, { once: true })
        signal.throwIfAborted()
        await checkUser(connection, credential).finally(() => signal.removeEventListener('abort', abort))
      })
    } catch (error) {
      throw notProven(credential, error, isRefusal(errnoOf(error)))
    }
  }

  /** A user may end its own sessions, and the statements in them. */
  async #asUserOf(session: Session, statement: string): Promise<void> {
    const credential = this.#credentials.get(session)
    if (!credential) return
    await this.#withConnectionAs(
      credential,
      (connection) => new Promise<void>((resolve) => connection.query(statement, () => resolve())),
    )
  }

  async #withConnectionAs(
    credential: Credential,
    use: (connection: Connection) => Promise<void>,
  ): Promise<void> {
    const stream: OpenStream = (place) => this.#open(place, credential)
    const connection = this.connect(() => this.#driver.createConnection({ ...this.#options, stream }))
    await use(connection).finally(() => this.closeWhenIdle(connection))
  }
}

function openSocket(place: StreamPlace, stream: unknown): Socket {
  if (typeof stream === 'function') return (stream as OpenStream)(place)
  const { host, port, socketPath, enableKeepAlive, keepAliveInitialDelay } = place.config
  if (socketPath !== undefined) return connect(socketPath)
  // As mysql2 does when it has no option `stream`.
  const socket = connect(port ?? defaultPort, host)
  if (enableKeepAlive) socket.once('connect', () => socket.setKeepAlive(true, keepAliveInitialDelay))
  return socket.setNoDelay(true)
}

async function checkUser(connection: Connection, { username }: Credential): Promise<void> {
  // The rows are not read: they may go through a type cast of the caller's.
  const rows = await new Promise<unknown>((resolve, reject) => {
    connection.query(
      `select 1 from dual where substring_index(session_user(), '@', 1) = ?`,
      [username],
      (error, found) => (error ? reject(error) : resolve(found)),
    )
  })
  if (!Array.isArray(rows) || rows.length !== 1) throw new Error('the session belongs to another user')
}

function isRefusal(errno: unknown): boolean {
  return errno === accessDenied || errno === accessDeniedWithoutPassword
}

function errnoOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'errno' in error ? error.errno : undefined
}

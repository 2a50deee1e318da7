import { connect, Socket } from 'node:net'
import { type Credential, CredentialsUnavailableError, type LeaseManager } from '@vault-lease/core'
import {
  endMySqlSession,
  type Fate,
  isMySqlDenial,
  isMySqlRefusal,
  notProven,
  type PoolHooks,
  RotatingConnections,
} from '@vault-lease/core/adapter'
import type { Connection, ConnectionOptions } from 'mysql2'
import { asMySqlConnection, type MySqlDriver, type OpenStream, type StreamPlace } from './driver.ts'
import { placeOf } from './options.ts'
import { Session } from './session.ts'
import { checkUser, rowsOf } from './statements.ts'

const defaultPort = 3306

/** The longest that the end of a session or a statement is waited for. MariaDB may take two seconds for one that waits. */
const endWithinMs = 3_000

/** Where connections are made, and with which driver. */
export interface MySqlPlace {
  readonly driver: MySqlDriver
  /** The caller's options, without user and password. */
  readonly options: ConnectionOptions
}

/** The physical MySQL connections of one pool. */
export class MySqlConnections extends RotatingConnections<Session> {
  readonly #driver: MySqlDriver
  readonly #options: ConnectionOptions
  readonly #sessions = new WeakMap<Connection, Session>()
  #opened: Session | undefined

  constructor(lease: LeaseManager, pool: PoolHooks, { driver, options }: MySqlPlace) {
    super(lease, pool, {
      place: placeOf(options),
      connectAs: (credential, signal) => this.#connectAs(credential, signal),
      askForUser: (session) => session.askForUser(),
      closeUnderHolder: (session, reason) =>
        session.closeUnderHolder(reason, (threadId) =>
          this.#asUserOf(session, (connection) =>
            endMySqlSession((sql) => rowsOf(connection, sql), threadId),
          ),
        ),
    })
    this.#driver = driver
    this.#options = options
  }

  /** The driver's option `stream`: it opens each connection with the credential in force at that moment. */
  readonly stream: OpenStream = (place) => {
    const credential = this.attachment.current
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
    this.opened(session)
    connection.on('error', (error) => this.noteError(session, error))
    const handlePacket = connection.handlePacket.bind(connection)
    connection.handlePacket = (packet) => {
      if (packet?.isError()) this.#noteDenial(session, packet.clone().asError('utf8'))
      handlePacket(packet)
    }
  }

  /** Whether the connection has ended, or belongs to another user than the one in force. */
  isConnectionStale(connection: Connection): boolean {
    const session = this.#sessions.get(connection)
    if (session === undefined || this.isStale(session)) return true
    // Its holder may have called changeUser().
    return connection.config.user !== session.username
  }

  /** What is to become of a connection that its holder gives back. */
  fateOfConnection(connection: Connection): Fate | Promise<Fate> {
    const session = this.#sessions.get(connection)
    return session === undefined || this.isConnectionStale(connection) ? 'close' : this.fateOf(session)
  }

  /** Closes a connection that nobody uses any more. Resolves when the server has closed it too. */
  async closeWhenIdle(connection: Connection): Promise<void> {
    await this.#sessions.get(connection)?.closeWhenIdle(this.#driver)
  }

  /** Ends the statement that the connection runs, from a connection of its own. */
  async cancelStatement(connection: Connection): Promise<void> {
    const session = this.#sessions.get(connection)
    if (!session) return
    await this.#asUserOf(session, async (other) => {
      await rowsOf(other, `kill query ${connection.threadId}`)
    })
  }

  /** Remembers which credential the server refused. */
  noteError(session: Session, error: Error): void {
    if (isMySqlRefusal(error)) this.noteRefusal(session, error)
    else this.#noteDenial(session, error)
  }

  #noteDenial(session: Session, error: unknown): void {
    if (isMySqlDenial(error)) this.denied(session)
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
    let session: Session
    try {
      session = new Session(openSocket(place, this.#options.stream), credential.username)
    } catch (error) {
      // The caller's own function threw: as if the connection had failed.
      return new Socket().destroy(error instanceof Error ? error : new Error(String(error)))
    }
    this.opening(session, credential)
    void session.closed().then(() => this.closed(session))
    this.#opened = session
    return session.socket
  }

  async #connectAs(credential: Credential, signal: AbortSignal): Promise<void> {
    try {
      await this.#withConnectionAs(credential, signal, (connection) => checkUser(connection, credential))
    } catch (error) {
      throw notProven(credential, this.place, error, isMySqlRefusal(error) ? 'refused' : 'unreachable')
    }
  }

  /** A user may end its own sessions, and the statements in them. */
  async #asUserOf(session: Session, use: (connection: Connection) => Promise<void>): Promise<void> {
    const credential = this.credentialOf(session)
    if (credential) await this.#withConnectionAs(credential, AbortSignal.timeout(endWithinMs), use)
  }

  async #withConnectionAs(
    credential: Credential,
    signal: AbortSignal,
    use: (connection: Connection) => Promise<void>,
  ): Promise<void> {
    signal.throwIfAborted()
    const stream: OpenStream = (place) => this.#open(place, credential)
    const options = { ...this.#options, stream }
    // The statements are ours, not the caller's to format.
    delete options.queryFormat
    const connection = this.connect(() => this.#driver.createConnection(options))
    const abort = (): void => this.#sessions.get(connection)?.abort(signal.reason)
    signal.addEventListener('abort', abort, { once: true })
    try {
      await use(connection)
    } finally {
      signal.removeEventListener('abort', abort)
      await this.closeWhenIdle(connection)
    }
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

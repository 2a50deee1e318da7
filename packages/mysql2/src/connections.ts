import { connect, Socket } from 'node:net'
import {
  type Credential,
  CredentialsUnavailableError,
  InvalidOptionError,
  type LeaseManager,
} from '@vault-lease/core'
import {
  deadlineAfter,
  endMySqlSession,
  type Fate,
  isMySqlDenial,
  isMySqlRefusal,
  notProven,
  type PoolHooks,
  RotatingConnections,
  stoppable,
  systemClock,
} from '@vault-lease/core/adapter'
import type { Connection, ConnectionOptions } from 'mysql2'
import { onCommand, onFailure } from './commands.ts'
import {
  asMySqlConnection,
  checkDriver,
  isFarewell,
  type MySqlDriver,
  type OpenStream,
  type StreamPlace,
  unsupported,
} from './driver.ts'
import { hidePasswords, isPasswordHidden } from './hidden-password.ts'
import { placeOf } from './options.ts'
import { Session } from './session.ts'
import { checkUser, rowsOf } from './statements.ts'

const defaultPort = 3306

/** Asked at each checkout: a property is found sooner than what a WeakMap holds. */
const sessionOf = Symbol('session')

interface Adopted {
  readonly [sessionOf]?: Session
}

/** The longest that the end of a session or a statement is waited for. MariaDB may take two seconds for one that waits. */
const endWithinMs = 3_000

/** Where connections are made, and with which driver. */
export interface MySqlPlace {
  readonly driver: MySqlDriver
  /** The caller's options, without user and password. */
  readonly options: ConnectionOptions
}

/** What the pool around the connections has to offer. */
export interface MySqlPoolHooks extends PoolHooks {
  /** Begins to open the first connection of the pool, if it has none, and keeps it when it stands the check. */
  openFirst?(check: (connection: Connection) => Promise<void>): Promise<void> | undefined
}

/** A credential that a connection of the pool proves. */
interface Proving {
  readonly credential: Credential
  socket: Socket | undefined
  unsupported: InvalidOptionError | undefined
}

/** The physical MySQL connections of one pool. */
export class MySqlConnections extends RotatingConnections<Session> {
  readonly #driver: MySqlDriver
  readonly #options: ConnectionOptions
  /** By the configuration of the connection, which the driver makes for each: it opens before the connection is known. */
  readonly #sessions = new WeakMap<object, Session>()
  readonly #pool: MySqlPoolHooks
  /** While the pool makes the connection that proves a credential. */
  #proving: Proving | undefined

  /** @throws InvalidOptionError when the driver is not a mysql2 3 that works the way this package needs. */
  constructor(lease: LeaseManager, pool: MySqlPoolHooks, { driver, options }: MySqlPlace) {
    checkDriver(driver)
    super(lease, pool, {
      place: placeOf(options),
      connectAs: (credential, signal) => this.#connectAs(credential, signal),
      askForUser: (session) => session.askForUser(),
      isLeaving: ({ closing }) => closing !== undefined,
      closeUnderHolder: (session, reason) =>
        session.closeUnderHolder(reason, (threadId) =>
          this.#asUserOf(session, (connection) =>
            endMySqlSession((sql) => rowsOf(connection, sql), threadId),
          ),
        ),
    })
    this.#pool = pool
    this.#driver = driver
    this.#options = options
  }

  /** The driver's option `stream`: it opens each connection with the credential in force at that moment, or the one to prove. */
  readonly stream: OpenStream = (place) => {
    const proving = this.#proving
    const credential = proving?.credential ?? this.attachment.current
    if (credential) {
      const socket = this.#open(place, credential)
      if (proving) proving.socket = socket
      return socket
    }
    const unavailable = new CredentialsUnavailableError('No database credential may be used at this moment.')
    return new Socket().destroy(unavailable)
  }

  /** The driver opens a connection, and keeps the password in its first command for as long as the server lets it wait. */
  opens(connection: Connection): void {
    if (this.#proving && !this.#sessionOf(connection)) this.#proving.unsupported = configLost()
    const { _command: handshake } = asMySqlConnection(connection)
    if (handshake) hidePasswords(handshake)
  }

  /** A pool of the driver has opened a connection through `stream`. */
  connected(connection: Connection): void {
    const session = this.#adopt(connection)
    if (session) this.opened(session)
  }

  /** Opens a connection with the credential in force, outside of the pools of the driver. */
  createConnection(options: ConnectionOptions): Connection {
    const connection = this.#driver.createConnection({ ...options, stream: this.stream })
    this.opens(connection)
    const session = this.#adopt(connection)
    if (!session) return connection
    const credential = this.credentialOf(session)
    connection.once('connect', () => {
      // The driver would copy it into every statement.
      Object.assign(connection.config, { password: undefined })
      this.opened(session)
    })
    connection.on('error', (error) => this.noteError(credential, error))
    return connection
  }

  /** Whether the connection has ended, or belongs to another user than the one in force. */
  isConnectionStale(connection: Connection): boolean {
    const session = this.#sessionOf(connection)
    return session === undefined || this.isStale(session) || !hasItsUser(connection, session)
  }

  /** What is to become of a connection that its holder gives back. */
  fateOfConnection(connection: Connection): Fate | Promise<Fate> {
    const session = this.#sessionOf(connection)
    return session && hasItsUser(connection, session) ? this.fateOf(session) : 'close'
  }

  /** Closes a connection that nobody uses any more. Resolves when the server has closed it too. */
  async closeWhenIdle(connection: Connection): Promise<void> {
    await this.#sessionOf(connection)?.closeWhenIdle()
  }

  /** While the library closes a connection: resolves when it is closed on both sides. */
  closing(connection: Connection): Promise<void> | undefined {
    return this.#sessionOf(connection)?.closing
  }

  /** Ends the statement that the connection runs, from a connection of its own. */
  async cancelStatement(connection: Connection): Promise<void> {
    const session = this.#sessionOf(connection)
    if (!session) return
    await this.#asUserOf(session, async (other) => {
      await rowsOf(other, `kill query ${connection.threadId}`)
    })
  }

  /** Remembers, when the error says so, that the server refused the credential. */
  noteError(credential: Credential | undefined, error: Error): void {
    if (credential && isMySqlRefusal(error)) this.noteRefusal(credential, error)
  }

  #sessionOf(connection: Connection): Session | undefined {
    return (connection as Adopted)[sessionOf] ?? this.#sessions.get(connection.config)
  }

  /** The driver's connection of a session is known now. There is no session when there was no credential. */
  #adopt(documented: Connection): Session | undefined {
    const session = this.#sessionOf(documented)
    if (!session) return undefined
    const connection = asMySqlConnection(documented)
    Object.defineProperty(documented, sessionOf, { value: session })
    session.adopt(connection)
    const hear = (error: Error): void => {
      if (isMySqlDenial(error)) this.denied(session)
    }
    onCommand(connection, (command) => {
      // Whoever says it, until then the connection counts as open.
      if (isFarewell(command)) command.once('end', () => void session.leaveInTime())
      onFailure(command, hear)
    })
    return session
  }

  #open(place: StreamPlace, credential: Credential): Socket {
    const { config } = place
    config.user = credential.username
    if (!isPasswordHidden(config)) hidePasswords(config)
    config.password = credential.password
    const session = new Session(openSocket(place, this.#options.stream), credential.username)
    this.#sessions.set(config, session)
    this.opening(session, credential)
    void session.closed().then(() => this.closed(session))
    // With a function as its `typeCast` the driver keeps a configuration for good, with the parser of a statement. To delete a
    // property would make a dictionary of it, which every query reads.
    config.stream = undefined
    return session.socket
  }

  async #connectAs(credential: Credential, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    const check = (connection: Connection): Promise<void> => checkUser(connection, credential)
    try {
      await (this.#proveByFirst(credential, signal, check) ??
        this.#withConnectionAs(credential, signal, check))
    } catch (error) {
      if (error instanceof InvalidOptionError) throw error
      throw notProven(credential, this.place, error, isMySqlRefusal(error) ? 'refused' : 'unreachable')
    }
  }

  #proveByFirst(
    credential: Credential,
    signal: AbortSignal,
    check: (connection: Connection) => Promise<void>,
  ): Promise<void> | undefined {
    const proving: Proving = { credential, socket: undefined, unsupported: undefined }
    this.#proving = proving
    const opened = this.#pool.openFirst?.(check)
    this.#proving = undefined
    if (!opened) return undefined
    const stop = (reason: Error): unknown => proving.socket?.destroy(reason)
    if (proving.unsupported) stop(proving.unsupported)
    return stoppable(signal, stop, () => opened).catch((error: unknown) => {
      throw proving.unsupported ?? error
    })
  }

  /** A user may end its own sessions, and the statements in them. */
  async #asUserOf(session: Session, use: (connection: Connection) => Promise<void>): Promise<void> {
    const credential = this.#newestFor(session)
    if (!credential) return
    const late = (): Error => new Error(`The database did not answer within ${endWithinMs} ms.`)
    const limit = deadlineAfter(systemClock, endWithinMs, late)
    await this.#withConnectionAs(credential, limit.signal, use).finally(() => limit[Symbol.dispose]())
  }

  /** The user of a session may have another password by now. */
  #newestFor(session: Session): Credential | undefined {
    const { current } = this.attachment
    return current?.username === session.username ? current : this.credentialOf(session)
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
    const connection = this.#driver.createConnection(options)
    this.opens(connection)
    const session = this.#adopt(connection)
    if (!session) throw configLost()
    connection.once('connect', () => this.loggedIn(session))
    try {
      await stoppable(
        signal,
        (reason) => session.abort(reason),
        () => use(connection),
      )
    } finally {
      await session.closeWhenIdle()
    }
  }
}

function configLost(): InvalidOptionError {
  return unsupported('a connection does not keep its config')
}

/** Its holder may have called changeUser(). */
function hasItsUser(connection: Connection, { username }: Session): boolean {
  return connection.config.user === username
}

function openSocket(place: StreamPlace, stream: unknown): Socket {
  if (typeof stream === 'function') return openOwn(place, stream as OpenStream)
  const { host, port, socketPath, enableKeepAlive, keepAliveInitialDelay } = place.config
  if (socketPath !== undefined) return connect(socketPath)
  // As mysql2 does when it has no option `stream`.
  const socket = connect(port ?? defaultPort, host)
  if (enableKeepAlive) socket.once('connect', () => socket.setKeepAlive(true, keepAliveInitialDelay))
  return socket.setNoDelay(true)
}

/** When the caller's own function throws it is as if the connection had failed. */
function openOwn(place: StreamPlace, stream: OpenStream): Socket {
  try {
    return stream(place)
  } catch (error) {
    return new Socket().destroy(error instanceof Error ? error : new Error(String(error)))
  }
}

import { type Credential, CredentialsUnavailableError, type LeaseManager } from '@vault-lease/core'
import { notProven, type PoolHooks, RotatingConnections } from '@vault-lease/core/adapter'
import type { Connection, ConnectionConfig, createConnection } from 'mariadb'
import { FarewellSocket } from './farewell-socket.ts'
import type { Loan } from './loan.ts'

/** As much of mariadb as is needed here. */
export interface MariaDbDriver {
  readonly createConnection: typeof createConnection
}

/** One physical connection. */
export interface Session {
  readonly connection: Connection
  readonly socket: FarewellSocket
  /** While somebody has it. */
  loan?: Loan | undefined
}

const accessDenied = 1045
const accessDeniedWithoutPassword = 1698
const databaseAccessDenied = 1044
const tableAccessDenied = 1142

const defaultPort = 3306

/** A server that has not ended a statement by then is left. */
const patienceMs = 5_000

/** The physical connections of one pool, each a single connection of mariadb. */
export class MariaDbConnections extends RotatingConnections<FarewellSocket> {
  readonly #lease: LeaseManager
  readonly #driver: MariaDbDriver
  readonly #config: ConnectionConfig
  readonly #sessions = new WeakMap<FarewellSocket, Session>()

  constructor(lease: LeaseManager, pool: PoolHooks, driver: MariaDbDriver, config: ConnectionConfig) {
    super(lease, pool, {
      connectAs: (credential, signal) => this.#connectAs(credential, signal),
      closeUnderHolder: (socket, reason) => closeUnderHolder(socket, this.#sessions.get(socket), reason),
    })
    this.#lease = lease
    this.#driver = driver
    this.#config = config
  }

  /** Opens a connection with the credential in force. */
  async open(): Promise<Session> {
    const credential = this.#lease.current
    if (!credential) {
      throw new CredentialsUnavailableError('No database credential may be used at this moment.')
    }
    return await this.#open(credential, new FarewellSocket())
  }

  /** Something that was asked of a connection failed. */
  noteError({ socket }: Session, error: unknown): void {
    const errno = errnoOf(error)
    const generation = this.generationOf(socket)
    if (generation === undefined || (errno !== tableAccessDenied && errno !== databaseAccessDenied)) return
    this.#lease.suspected(generation)
  }

  async #open(credential: Credential, socket: FarewellSocket): Promise<Session> {
    const { username: user, password, generation } = credential
    this.opening(socket, generation)
    void socket.whenClosed.then(() => this.closed(socket))
    // The driver asks again for the connection on which it ends what a destroyed one is running.
    const sockets = [socket]
    const stream = (): FarewellSocket => this.#connect(sockets.pop() ?? new FarewellSocket())
    try {
      const connection = await this.#driver.createConnection({ ...this.#config, user, password, stream })
      // Queries report the loss of a connection to whoever made them. Without a listener the event would end the process.
      connection.on('error', () => {})
      const session = { connection, socket }
      this.#sessions.set(socket, session)
      return session
    } catch (error) {
      if (error instanceof Error && isRefusal(error)) this.noteRefusal(socket, error)
      socket.destroy()
      await socket.whenClosed
      throw error
    }
  }

  #connect(socket: FarewellSocket): FarewellSocket {
    const { socketPath, port = defaultPort, host = 'localhost' } = this.#config
    if (socketPath === undefined) socket.connect(port, host)
    else socket.connect(socketPath)
    return socket
  }

  async #connectAs(credential: Credential, signal: AbortSignal): Promise<void> {
    const socket = new FarewellSocket()
    const abort = (): void => void socket.destroy(asError(signal.reason))
    signal.addEventListener('abort', abort, { once: true })
    try {
      signal.throwIfAborted()
      const session = await this.#open(credential, socket)
      await checkUser(session, credential).finally(() => closeWhenIdle(session))
    } catch (error) {
      throw notProven(credential, error, isRefusal(error))
    } finally {
      signal.removeEventListener('abort', abort)
    }
  }
}

/** Closes a connection once what was asked of it is answered. Resolves when the server has closed it too. */
export async function closeWhenIdle({ connection, socket }: Session): Promise<void> {
  await connection.end()
  await socket.whenClosed
}

/** What the connection runs is ended by the driver, from a connection of its own. */
async function closeUnderHolder(
  socket: FarewellSocket,
  session: Session | undefined,
  reason: () => Error,
): Promise<void> {
  session?.loan?.recall(reason)
  if (session) session.connection.destroy()
  else socket.destroy(reason())
  const late = setTimeout(() => socket.abandon(), patienceMs)
  await socket.whenClosed
  clearTimeout(late)
}

async function checkUser({ connection }: Session, { username }: Credential): Promise<void> {
  const rows: unknown = await connection.query(
    `select 1 from dual where substring_index(session_user(), '@', 1) = ?`,
    [username],
  )
  if (!Array.isArray(rows) || rows.length !== 1) throw new Error('the session belongs to another user')
}

function isRefusal(error: unknown): boolean {
  const errno = errnoOf(error)
  return errno === accessDenied || errno === accessDeniedWithoutPassword
}

function errnoOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'errno' in error ? error.errno : undefined
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason))
}

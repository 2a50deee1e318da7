import { type Credential, CredentialsUnavailableError, type LeaseManager } from '@vault-lease/core'
import {
  endMySqlSession,
  isMySqlDenial,
  isMySqlRefusal,
  isMySqlUserGone,
  mysqlSessionOfUser,
  notProven,
  type PoolHooks,
  RotatingConnections,
  settlesWithin,
} from '@vault-lease/core/adapter'
import type { ConnectionConfig, createConnection } from 'mariadb'
import { connectAgain } from './connect-again.ts'
import { FarewellSocket } from './farewell-socket.ts'
import { takeLossAfterLogin } from './loss-after-login.ts'
import { Session } from './session.ts'

/** As much of mariadb as is needed here. */
export interface MariaDbDriver {
  readonly createConnection: typeof createConnection
}

const defaultPort = 3306

/** A server that has not answered or ended a statement by then is left. */
const patienceMs = 5_000

/** The physical connections of one pool, each a single connection of mariadb. */
export class MariaDbConnections extends RotatingConnections<FarewellSocket> {
  readonly #driver: MariaDbDriver
  readonly #config: ConnectionConfig
  readonly #sessions = new WeakMap<FarewellSocket, Session>()
  readonly #connectAgainForMs: number

  /** @param connectAgainForMs milliseconds in which a user is tried again when connecting failed. */
  constructor(
    lease: LeaseManager,
    pool: PoolHooks,
    driver: MariaDbDriver,
    config: ConnectionConfig,
    connectAgainForMs = 0,
  ) {
    super(lease, pool, {
      place: placeOf(config),
      connectAs: (credential, signal) => this.#connectAs(credential, signal),
      askForUser: (socket) => this.#askForUser(socket),
      isLeaving: ({ isLeaving }) => isLeaving,
      closeUnderHolder: (socket, reason) => this.#closeUnderHolder(socket, reason),
    })
    takeLossAfterLogin()
    this.#driver = driver
    this.#config = config
    this.#connectAgainForMs = connectAgainForMs
  }

  /** Opens a connection with the credential in force, by options of its own if need be. */
  async open(config: ConnectionConfig = this.#config): Promise<Session> {
    const credential = this.attachment.current
    if (!credential) {
      throw new CredentialsUnavailableError('No database credential may be used at this moment.')
    }
    return await this.#open(credential, this.#newSocket(), config)
  }

  async #open(
    credential: Credential,
    socket: FarewellSocket,
    config: ConnectionConfig = this.#config,
  ): Promise<Session> {
    const { username: user, password } = credential
    this.opening(socket, credential)
    void socket.whenClosed.then(() => this.closed(socket))
    const stream = (): FarewellSocket => this.#connect(socket)
    try {
      const connection = await this.#driver.createConnection({ ...config, user, password, stream })
      this.opened(socket)
      const session = new Session(connection, socket, (error) => {
        if (isMySqlDenial(error)) this.denied(socket)
      })
      this.#sessions.set(socket, session)
      return session
    } catch (error) {
      if (error instanceof Error && isMySqlRefusal(error)) this.noteRefusal(credential, error)
      socket.destroy()
      await socket.whenClosed
      throw error
    }
  }

  #newSocket(): FarewellSocket {
    return new FarewellSocket(Boolean(this.#config.ssl))
  }

  #connect(socket: FarewellSocket): FarewellSocket {
    const { socketPath, port = defaultPort, host = 'localhost' } = this.#config
    if (socketPath === undefined) socket.connect(port, host)
    else socket.connect(socketPath)
    return socket
  }

  async #connectAs(credential: Credential, signal: AbortSignal): Promise<void> {
    let socket: FarewellSocket | undefined
    const abort = (): void => void socket?.destroy(asError(signal.reason))
    signal.addEventListener('abort', abort, { once: true })
    const open = (): Promise<Session> => {
      socket = this.#newSocket()
      return this.#open(credential, socket)
    }
    try {
      signal.throwIfAborted()
      const session = await connectAgain(open, { forMs: this.#connectAgainForMs, signal })
      await checkUser(session, credential).finally(() => closeWhenIdle(session))
    } catch (error) {
      throw notProven(credential, this.place, error, isMySqlRefusal(error) ? 'refused' : 'unreachable')
    } finally {
      signal.removeEventListener('abort', abort)
    }
  }

  async #askForUser(socket: FarewellSocket): Promise<'exists' | 'gone' | 'unknown'> {
    try {
      await this.#sessions.get(socket)?.connection.query('show grants')
      return 'exists'
    } catch (error) {
      return isMySqlUserGone(error) ? 'gone' : 'unknown'
    }
  }

  async #closeUnderHolder(socket: FarewellSocket, reason: () => Error): Promise<void> {
    const session = this.#sessions.get(socket)
    const threadId = session?.connection.threadId
    const isBusy = session?.recall(reason)
    if (!session) socket.destroy(reason())
    try {
      if (isBusy && threadId) await this.#kill(socket, threadId)
    } finally {
      if (!(await settlesWithin(socket.whenClosed, patienceMs))) socket.abandon()
      await socket.whenClosed
    }
  }

  /** Ends the statement that a connection runs, from a connection of its own. */
  async cancelStatement({ socket, connection: { threadId } }: Session): Promise<void> {
    if (threadId) await this.#asUserOf(socket, (run) => run(`kill query ${threadId}`))
  }

  #kill(socket: FarewellSocket, threadId: number): Promise<void> {
    return this.#asUserOf(socket, (run) => endMySqlSession(run, threadId))
  }

  /** From another connection: a user may end its own sessions. */
  async #asUserOf(
    socket: FarewellSocket,
    act: (run: (sql: string) => Promise<unknown>) => Promise<unknown>,
  ): Promise<void> {
    const credential = this.credentialOf(socket)
    if (!credential) return
    const session = await this.#open(credential, this.#newSocket())
    const acting = act((sql) => session.connection.query(sql))
    if (!(await settlesWithin(acting, patienceMs))) session.socket.abandon()
    await acting.finally(() => closeWhenIdle(session))
  }
}

/** Closes a connection once what was asked of it is answered. Resolves when the server has closed it too, or is left. */
export async function closeWhenIdle(session: Session): Promise<void> {
  if (!(await settlesWithin(session.end(), patienceMs))) session.socket.abandon()
  await session.socket.whenClosed
}

async function checkUser({ connection }: Session, { username }: Credential): Promise<void> {
  const rows: unknown = await connection.query(mysqlSessionOfUser, [username])
  if (!Array.isArray(rows) || rows.length !== 1) throw new Error('the session belongs to another user')
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason))
}

/** Where connections go, for people. */
function placeOf({
  host = 'localhost',
  port = defaultPort,
  database = '',
  socketPath,
}: ConnectionConfig): string {
  return socketPath === undefined ? `mysql://${host}:${port}/${database}` : `mysql:${socketPath}/${database}`
}

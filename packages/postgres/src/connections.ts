import {
  type Credential,
  CredentialsUnavailableError,
  type LeaseManager,
  VaultLeaseError,
} from '@vault-lease/core'
import {
  notProven,
  type PoolHooks,
  RotatingConnections,
  settlesWithin,
  ValidateOnBorrow,
} from '@vault-lease/core/adapter'
import { cancelRequest, ServerError } from './messages.ts'
import type { Session } from './session.ts'
import type { Transport } from './transport.ts'
import { Wire } from './wire.ts'

/** Where connections are made, and how. */
export interface PostgresPlace {
  /** Where that is, without a secret. */
  readonly place: string
  readonly transport: Transport
  /** What a session is opened with that only tries a user. */
  readonly parameters: Readonly<Record<string, string>>
  /** Milliseconds that a connection may wait for a credential. */
  readonly patienceMs: number
}

const refusals: ReadonlySet<string> = new Set(['28P01', '28000'])
const cancelWithinMs = 2_000
/** What a session hears that asks for its user when that was dropped (seen on PostgreSQL 15: "invalid role OID"). */
const undefinedObject = '42704'

/** The physical connections of one client. */
export class PostgresConnections extends RotatingConnections<Wire> {
  readonly #place: PostgresPlace
  readonly #borrow: ValidateOnBorrow
  readonly #sessions = new WeakMap<Wire, Session>()
  /** That has proven the user in force, and nobody uses yet. */
  #spare: Wire | undefined

  constructor(lease: LeaseManager, pool: PoolHooks, place: PostgresPlace) {
    super(lease, pool, {
      place: place.place,
      connectAs: (credential, signal) => this.#connectAs(credential, signal),
      askForUser,
      isLeaving: (wire) => wire.isLeaving,
      closeUnderHolder: (wire, reason) => this.#closeUnderHolder(wire, reason),
    })
    this.#place = place
    this.#borrow = new ValidateOnBorrow(this, () => place.patienceMs)
  }

  /** Opens a connection for a session of the driver, as the user in force. */
  async open(
    session: Session,
    parameters: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<Wire> {
    const isOfPool = parameters['replication'] === undefined
    const wire = await this.#borrow.open(async () => {
      signal.throwIfAborted()
      const { current } = this.attachment
      if (!current)
        throw new CredentialsUnavailableError('No database credential may be used at this moment.')
      return (isOfPool ? this.#takeSpare() : undefined) ?? (await this.#logIn(current, parameters, signal))
    })
    this.#sessions.set(wire, session)
    return wire
  }

  sessionOf(wire: Wire): Session | undefined {
    return this.#sessions.get(wire)
  }

  /** Closes what nobody uses and the driver does not know. */
  closeSpare(onlyStale: boolean): void {
    const spare = this.#spare
    if (!spare || (onlyStale && !this.isStale(spare))) return
    this.#spare = undefined
    void spare.leave()
  }

  /** Whether no other connection is open. */
  get #isFirst(): boolean {
    return this.usage().connections.reduce((sum, { open }) => sum + open, 0) === 1
  }

  /** Has a statement cancelled, by what its session was given for that. */
  async cancel(request: Buffer, signal: AbortSignal): Promise<void> {
    const socket = await this.#place.transport.open(signal)
    const closed = new Promise<void>((resolve) => {
      socket.once('close', resolve)
    })
    socket.resume()
    socket.end(request)
    if (!(await settlesWithin(closed, cancelWithinMs))) socket.destroy()
  }

  #takeSpare(): Wire | undefined {
    const spare = this.#spare
    this.#spare = undefined
    if (!spare || !this.isStale(spare)) return spare
    void spare.leave()
    return undefined
  }

  async #logIn(
    credential: Credential,
    parameters: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<Wire> {
    const wire = new Wire(credential)
    this.opening(wire, credential)
    void wire.closed.then(() => this.closed(wire))
    try {
      await wire.open(this.#place.transport, parameters, signal)
      this.opened(wire)
      return wire
    } catch (error) {
      if (error instanceof ServerError && refusals.has(error.code)) this.noteRefusal(credential, error)
      throw error
    }
  }

  async #connectAs(credential: Credential, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    try {
      const wire = await this.#logIn(credential, this.#place.parameters, signal)
      const name = credential.username.replaceAll("'", "''")
      const rows = await wire.ask(`select 1 where session_user = '${name}'`)
      if (rows !== 1) throw new Error('the session belongs to another user')
      if (this.#isFirst) this.#spare = wire
      else await wire.leave()
    } catch (error) {
      if (error instanceof VaultLeaseError) throw error
      const refused = error instanceof ServerError && refusals.has(error.code)
      throw notProven(credential, this.place, error, refused ? 'refused' : 'unreachable')
    }
  }

  async #closeUnderHolder(wire: Wire, reason: () => Error): Promise<void> {
    const session = this.#sessions.get(wire)
    if (!session) return await wire.leave()
    const { pid, secret } = wire.greeting
    const cancel = (): Promise<void> =>
      this.cancel(cancelRequest(pid, secret), AbortSignal.timeout(cancelWithinMs))
    await session.closeUnderHolder(reason, cancel)
  }
}

async function askForUser(wire: Wire): Promise<'exists' | 'gone' | 'unknown'> {
  try {
    await wire.ask('select session_user')
    return 'exists'
  } catch (error) {
    if (!(error instanceof ServerError)) throw error
    return error.code === undefinedObject ? 'gone' : 'unknown'
  }
}

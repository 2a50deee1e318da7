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
  sleep,
  stoppable,
  systemClock,
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
  /** Which of several hosts is wanted: true of its sessions, as SQL. */
  readonly wanted: string | undefined
  /** What a session is opened with that only tries a user. */
  readonly parameters: Readonly<Record<string, string>>
  /** Milliseconds that a connection may wait for a credential. */
  readonly patienceMs: number
}

const refusalCodes: ReadonlySet<string> = new Set(['28P01', '28000'])
/** In which several hosts are asked for a user whom some of them do not know. */
const mostRounds = 5
const pauseMs = 25
const cancelWithinMs = 2_000
/** What a session hears that asks for its user when that was dropped (seen on PostgreSQL 15: "invalid role OID"). */
const undefinedObject = '42704'

/** The physical connections of one client. */
export class PostgresConnections extends RotatingConnections<Wire> {
  readonly #place: PostgresPlace
  readonly #borrow: ValidateOnBorrow
  readonly #sessions = new WeakMap<Wire, Session>()
  readonly #open = new Set<Wire>()
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

  /** Has a statement cancelled, by what its session was given for that, and at the host where it runs. */
  async cancel(request: Buffer, signal: AbortSignal): Promise<void> {
    const asked = [...this.#open].find(({ greeting: { pid, secret } }) =>
      cancelRequest(pid, secret).equals(request),
    )
    const socket = await this.#place.transport.open(asked?.at ?? 0, signal)
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

  /** At the first host, beginning with the one whose turn it is, that lets the user in and is one that is wanted. */
  async #logIn(
    credential: Credential,
    parameters: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<Wire> {
    for (let round = 1; ; round++) {
      const failures: unknown[] = []
      for (const at of this.#place.transport.turns()) {
        signal.throwIfAborted()
        try {
          return await this.#logInAt(at, credential, parameters, signal)
        } catch (error) {
          failures.push(error)
        }
      }
      const refusals = failures.filter(isRefusal)
      // A standby hears of a new user a moment later than the primary.
      const mayBeLate = refusals.length > 0 && refusals.length < failures.length
      if (mayBeLate && round < mostRounds) {
        await sleep(systemClock, pauseMs * 2 ** round, signal)
        continue
      }
      const last = failures.at(-1)
      if (isRefusal(last) && !mayBeLate) this.noteRefusal(credential, last)
      throw last
    }
  }

  async #logInAt(
    at: number,
    credential: Credential,
    parameters: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<Wire> {
    const { transport, wanted } = this.#place
    const wire = new Wire(credential, at)
    this.opening(wire, credential)
    void wire.closed.then(() => {
      this.#open.delete(wire)
      this.closed(wire)
    })
    await wire.open(transport, parameters, signal)
    if (wanted && !(await isTrue(wire, wanted, signal))) {
      await wire.leave()
      throw new Error(
        `The host is not one that target_session_attrs asks for: it is not true that ${wanted}.`,
      )
    }
    this.#open.add(wire)
    this.opened(wire)
    return wire
  }

  async #connectAs(credential: Credential, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    try {
      const wire = await this.#logIn(credential, this.#place.parameters, signal)
      const name = credential.username.replaceAll("'", "''")
      if (!(await isTrue(wire, `session_user = '${name}'`, signal)))
        throw new Error('the session belongs to another user')
      if (this.#isFirst) this.#spare = wire
      else await wire.leave()
    } catch (error) {
      if (error instanceof VaultLeaseError) throw error
      throw notProven(credential, this.place, error, isRefusal(error) ? 'refused' : 'unreachable')
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

function isRefusal(error: unknown): error is ServerError {
  return error instanceof ServerError && refusalCodes.has(error.code)
}

async function isTrue(wire: Wire, condition: string, signal: AbortSignal): Promise<boolean> {
  const stop = (reason: Error): unknown => wire.socket.destroy(reason)
  return (await stoppable(signal, stop, () => wire.ask(`select 1 where ${condition}`))) === 1
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

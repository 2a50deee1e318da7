import { EventEmitter } from 'node:events'
import { setImmediate } from 'node:timers/promises'
import { VaultLeaseError } from '../errors.ts'
import type { PoolAttachment } from '../lease/attachment.ts'
import type { Consumer, PoolLoad, PoolUsage, Proof, Retired, RetireTerms, Turns } from '../lease/consumer.ts'
import type { Credential } from '../lease/credential.ts'
import { attach, type LeaseManager } from '../lease/manager.ts'
import type { WaitOptions } from '../lease/wait.ts'
import { type Clock, deadlineAfter, pause, systemClock } from '../resilience/clock.ts'
import { settled } from '../resilience/settle.ts'
import { notProven } from './not-proven.ts'

/** What the pool around the connections has to offer. */
export interface PoolHooks {
  /** The most connections that the pool may have. */
  max(): number
  /** Closes a connection that nobody uses, or the next that is given back, and frees its place. */
  giveUpOne(): Promise<void>
  /** Closes the connections that nobody uses and that belong to an old generation. */
  drainIdle(): void
  /** How the pool is used, unless instrumentation of the driver tells that already. */
  load?(): Omit<PoolLoad, 'max'>
}

/** What only a driver can do. */
export interface DriverHooks<Connection> {
  /** Where it connects, without a secret, such as `postgresql://db.internal:5432/app`. */
  readonly place: string
  /**
   * Begins at once to open a connection with the credential, and asks the server who it is. It is closed again, unless the pool
   * has none yet and can have it as its first: until the credential is in force it is one of those that nobody is lent.
   *
   * @throws CredentialNotProvenError when the database does not accept it.
   */
  connectAs(credential: Credential, signal: AbortSignal): Promise<void>
  /**
   * Asks on a connection that nobody uses whether its user still exists; `unknown` when the connection cannot tell.
   *
   * @throws when the connection is lost.
   */
  askForUser(connection: Connection): Promise<'exists' | 'gone' | 'unknown'>
  /** Whether the connection was told to end, because nobody uses it. */
  isLeaving(connection: Connection): boolean
  /**
   * Closes a connection in use: what its holder runs fails with the reason. Resolves when the server has closed it.
   *
   * @throws when it cannot be known that the server has closed it.
   */
  closeUnderHolder(connection: Connection, reason: () => Error): Promise<void>
}

/** What is to become of a connection that is given back. */
export type Fate = 'keep' | 'close'

const answerWithinMs = 2_000
const pauseMs = 20
const roomWithinMs = 250

/** Asked at each checkout: a property is found sooner than what a WeakMap holds. */
const generationOf = Symbol('generation')

interface Tagged {
  [generationOf]?: number | undefined
}

/** The physical connections of one pool, each tagged with its credential. */
export class RotatingConnections<Connection extends object> implements Consumer {
  readonly place: string
  /** The pool's part in its lease. */
  readonly attachment: PoolAttachment
  readonly #pool: PoolHooks
  readonly #driver: DriverHooks<Connection>
  readonly #clock: Clock
  readonly #credentials = new WeakMap<Connection, Credential>()
  readonly #refusals = new WeakMap<Error, Credential>()
  readonly #denied = new Set<Connection>()
  /** Connections of a user that was replaced and still lives, until it is their turn. */
  readonly #staying = new Set<Connection>()
  readonly #open = new Map<number, Set<Connection>>()
  readonly #closed = new EventEmitter().setMaxListeners(0)
  /** Credentials that are being proven, each by a connection that the pool does not know. */
  #proofs = 0
  /** Places that are kept free for such connections. */
  #reserved = 0

  constructor(
    lease: LeaseManager,
    pool: PoolHooks,
    driver: DriverHooks<Connection>,
    clock: Clock = systemClock,
  ) {
    this.place = driver.place
    this.#pool = pool
    this.#driver = driver
    this.#clock = clock
    this.attachment = attach(lease, this)
  }

  /** A connection is being opened with a credential. */
  opening(connection: Connection, credential: Credential): void {
    this.#credentials.set(connection, credential)
    const { generation } = credential
    Object.defineProperty(connection, generationOf, { value: generation, writable: true })
    const connections = this.#open.get(generation) ?? new Set()
    this.#open.set(generation, connections.add(connection))
  }

  /** The server has accepted the credential of this connection. */
  opened(connection: Connection): void {
    const credential = this.#credentials.get(connection)
    if (credential) this.attachment.accepted(credential)
    this.loggedIn(connection)
  }

  /** The server has let a connection in that the pool does not know. */
  loggedIn(connection: Connection): void {
    const credential = this.#credentials.get(connection)
    if (credential) this.attachment.loggedIn(credential)
  }

  /** A connection was closed by the server, or was never opened. */
  closed(connection: Connection): void {
    const credential = this.#credentials.get(connection)
    if (credential === undefined) return
    this.#credentials.delete(connection)
    ;(connection as Tagged)[generationOf] = undefined
    this.#denied.delete(connection)
    this.#staying.delete(connection)
    const connections = this.#open.get(credential.generation)
    connections?.delete(connection)
    if (connections?.size === 0) this.#open.delete(credential.generation)
    this.#closed.emit('one')
  }

  /** What the connection was opened with; none, once it has ended. */
  credentialOf(connection: Connection): Credential | undefined {
    return this.#credentials.get(connection)
  }

  /** Whether the connection has ended, or belongs to another generation than the one in use and has had its turn to go. */
  isStale(connection: Connection): boolean {
    const isInUse = (connection as Tagged)[generationOf] === this.attachment.generation
    return !isInUse && !this.#staying.has(connection)
  }

  /**
   * While a user is being proven in a full pool its place is not free: resolves when there may be room to open a connection. To
   * be asked again then, in the same breath as the connection is opened: others have waited too.
   */
  whenRoom(): Promise<void> | undefined {
    return this.#isRoomBesideProofs ? undefined : this.#until(() => this.#isRoomBesideProofs)
  }

  /** A statement was denied in a way that also happens when the user is gone: the connection is asked before it is used again. */
  denied(connection: Connection): void {
    if (this.#credentials.has(connection)) this.#denied.add(connection)
  }

  /** What is to become of a connection that its holder gives back; a promise where it has to be asked first. */
  fateOf(connection: Connection): Fate | Promise<Fate> {
    if (this.isStale(connection)) return 'close'
    return this.#denied.size > 0 && this.#denied.has(connection) ? this.#askedForUser(connection) : 'keep'
  }

  /** Resolves once no connection is open. */
  async allClosed(): Promise<void> {
    await this.#until(() => this.#open.size === 0)
  }

  /** The server refused a credential with this error. Who says so first was the nearest to it. */
  noteRefusal(credential: Credential, error: Error): void {
    if (!this.#refusals.has(error)) this.#refusals.set(error, credential)
  }

  /** Whether connecting again after this error makes sense: the credential was refused and there is another one by now. */
  async worthConnectingAgain(error: unknown, wait: WaitOptions): Promise<boolean> {
    const credential = error instanceof Error ? this.#refusals.get(error) : undefined
    return credential !== undefined && (await this.attachment.refused(credential, error, wait))
  }

  usage(): PoolUsage {
    const connections = Array.from(this.#open, ([generation, { size }]) => ({ generation, open: size }))
    const load = this.#pool.load?.()
    return { connections, load: load && { max: this.#pool.max(), ...load } }
  }

  async prove(credential: Credential, signal: AbortSignal): Promise<Proof> {
    this.#proofs++
    this.#reserved++
    let reserved = true
    const free = (): void => {
      if (reserved) this.#reserved--
      reserved = false
    }
    try {
      // Sessions outlive a password: none is closed to try a new one, or to ask about the user in use.
      const mayClose = credential.generation !== this.attachment.generation
      if (!(await (mayClose ? this.#makeRoom(signal) : this.#roomByItself(signal)))) return 'full'
      // In the same breath the connection takes the place that was kept for it.
      free()
      await this.#driver.connectAs(credential, signal)
      return 'accepted'
    } catch (error) {
      throw error instanceof VaultLeaseError ? error : notProven(credential, this.place, error, 'unreachable')
    } finally {
      free()
      this.#proofs--
      this.#closed.emit('one')
    }
  }

  async retire(generation: number, { turns, signal, stragglerError }: RetireTerms): Promise<Retired> {
    const connections = this.#open.get(generation)
    if (!connections) return { closed: 0, forced: 0 }
    const total = connections.size
    if (turns) void this.#letGoInTurn(connections, turns)
    else this.#letGo(connections)
    await this.#until(() => !this.#open.has(generation), signal)
    // Where there was no time to drain, a pool takes what is idle a moment later, and only then is it told to end.
    if (connections.size > 0) await setImmediate()
    const stragglers = [...connections]
    const forced = stragglers.filter((each) => !this.#driver.isLeaving(each)).length
    const outcomes = await Promise.allSettled(
      stragglers.map((each) => this.#driver.closeUnderHolder(each, stragglerError)),
    )
    const counts = { closed: total - forced, forced }
    const failed = outcomes.find((outcome) => outcome.status === 'rejected')
    return failed ? { ...counts, failure: failed.reason } : counts
  }

  async #letGoInTurn(connections: ReadonlySet<Connection>, { by, over }: Turns): Promise<void> {
    for (const connection of connections) this.#staying.add(connection)
    while (!over.aborted && this.#clock.now() < by) {
      const staying = [...connections].filter((each) => this.#staying.has(each))
      if (staying.length === 0) return
      this.#letGo(staying.slice(0, 1))
      const gapMs = ((by - this.#clock.now()) / staying.length) * (0.5 + Math.random())
      await pause(this.#clock, gapMs, over)
    }
    this.#letGo(connections)
  }

  #letGo(connections: Iterable<Connection>): void {
    for (const connection of connections) this.#staying.delete(connection)
    this.#pool.drainIdle()
  }

  get #size(): number {
    let size = 0
    for (const connections of this.#open.values()) size += connections.size
    return size
  }

  /** So that the server never sees more connections than the pool's `max`. False when nobody gives one back in time. */
  async #makeRoom(signal: AbortSignal): Promise<boolean> {
    // Without a credential to use, what is idle is of no use to anybody.
    if (!this.#isRoom && this.attachment.generation === 0) {
      this.#pool.drainIdle()
      await this.#untilRoom(signal)
    }
    let givingUp: Promise<void> | undefined
    let room: Promise<void> | undefined
    while (!this.#isRoom && !signal.aborted) {
      givingUp ??= this.#giveUpOne(signal).finally(() => {
        givingUp = undefined
      })
      // What is free can be taken by somebody else before it is seen here.
      room ??= this.#untilRoom(signal).finally(() => {
        room = undefined
      })
      await Promise.race([givingUp, room])
    }
    return this.#isRoom
  }

  /** A pool may give up nothing, or what was no place of its own: it is asked again after a while then. */
  async #giveUpOne(signal: AbortSignal): Promise<void> {
    await this.#pool.giveUpOne().catch(() => {})
    if (!this.#isRoom) await this.#roomWithin(pauseMs, signal)
  }

  #untilRoom(signal: AbortSignal): Promise<void> {
    return this.#until(() => this.#isRoom, signal)
  }

  async #roomByItself(signal: AbortSignal): Promise<boolean> {
    await this.#roomWithin(roomWithinMs, signal)
    return this.#isRoom
  }

  async #roomWithin(ms: number, signal: AbortSignal): Promise<void> {
    const limit = deadlineAfter(this.#clock, ms, () => new Error('there is no room'), signal)
    await this.#untilRoom(limit.signal)
    limit[Symbol.dispose]()
  }

  /** For the first of those whose place is kept. */
  get #isRoom(): boolean {
    return this.#size < this.#pool.max()
  }

  get #isRoomBesideProofs(): boolean {
    return this.#proofs === 0 || this.#size + this.#reserved < this.#pool.max()
  }

  async #askedForUser(connection: Connection): Promise<Fate> {
    this.#denied.delete(connection)
    const credential = this.#credentials.get(connection)
    let answer: Awaited<ReturnType<DriverHooks<Connection>['askForUser']>> | undefined
    const asking = this.#driver.askForUser(connection).then((said) => {
      answer = said
    })
    await settled(this.#clock, asking, answerWithinMs)
    if (answer === 'gone' && credential) {
      const gone = new Error(`the database knows no user "${credential.username}" any more`)
      void this.attachment.refused(credential, notProven(credential, this.place, gone, 'refused'))
    }
    return answer === undefined || answer === 'gone' || this.isStale(connection) ? 'close' : 'keep'
  }

  /** Resolves once connections have closed so far that the condition holds, or with the signal. */
  #until(condition: () => boolean, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (!condition() && !signal?.aborted) return
        this.#closed.off('one', look)
        signal?.removeEventListener('abort', look)
        resolve()
      }
      this.#closed.on('one', look)
      signal?.addEventListener('abort', look, { once: true })
      look()
    })
  }
}

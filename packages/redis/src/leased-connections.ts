import type { Credential, LeaseManager } from '@vault-lease/core'
import {
  attach,
  type Clock,
  type Consumer,
  endPool,
  notProven,
  type PoolAttachment,
  type PoolUsage,
  type Proof,
  type Retired,
  type RetireTerms,
  settlesWithin,
  sleep,
  systemClock,
} from '@vault-lease/core/adapter'
import { isRefusal } from './refusal.ts'

/** One connection to a server. Its user can change while it is open. */
export interface LeasedConnection {
  /** As whom it has logged in, or is about to; none while it is not open. */
  readonly credential: Credential | undefined
  /**
   * Leaves the user of a generation: logs in anew with the credential in force between two commands, never within a transaction.
   * Resolves when the server has accepted that, or the connection is gone: it comes back with the newest credential by itself.
   *
   * @throws the reason of the signal; the driver's error when the server does not accept it.
   */
  change(generation: number, signal: AbortSignal): Promise<void>
  /** Resolves when nobody uses it, or with the signal. */
  whenIdle(signal: AbortSignal): Promise<void>
  /**
   * Closes it; it comes back by itself. What is not answered yet is sent again by the driver, but a transaction that is open fails
   * with the reason. Resolves when the server has closed it, with whether somebody used it.
   */
  replace(reason: () => Error): Promise<boolean>
}

/** What a connection asks of its lease. */
export type Logins = Pick<PoolAttachment, 'current' | 'credential' | 'refused' | 'accepted' | 'loggedIn'>

/** A client, or a duplicate of it, as its user has it. */
export interface LeasedClient {
  /** Closes it in good order, in bounded time. */
  close(): Promise<unknown>
}

/** What only a driver can do. */
export interface Driver {
  /** Where it connects, without a secret, such as `redis://cache.internal:6379/0`. */
  readonly place: string
  /**
   * Logs in once, on a connection of its own, which is closed again. Resolves when the server has accepted the credential, with what
   * resolves when the connection is gone.
   *
   * @throws the driver's error.
   */
  tryOn(credential: Credential, signal: AbortSignal): Promise<{ readonly gone: Promise<void> }>
}

/** A connection that is not there after this time is not said farewell to any longer. */
const farewellMs = 10_000

/** The connections of a client and of its duplicates: they change their user in place, one after another. */
export class LeasedConnections implements Consumer {
  readonly lease: LeaseManager
  readonly attachment: PoolAttachment
  readonly #ownsLease: boolean
  readonly #driver: Driver
  readonly #clock: Clock
  readonly #connections = new Set<LeasedConnection>()
  /** Those that are not closed. */
  readonly #clients = new Set<LeasedClient>()
  /** By generation: connections that have tried a user, and are not gone yet. */
  readonly #leaving = new Map<number, Promise<unknown>>()
  #ended: Promise<void> | undefined

  constructor(
    { lease, owned }: { readonly lease: LeaseManager; readonly owned: boolean },
    driver: Driver,
    clock: Clock = systemClock,
  ) {
    this.lease = lease
    this.#ownsLease = owned
    this.#driver = driver
    this.#clock = clock
    this.attachment = attach(lease, this)
  }

  get place(): string {
    return this.#driver.place
  }

  add(connection: LeasedConnection): void {
    this.#connections.add(connection)
  }

  remove(connection: LeasedConnection): void {
    this.#connections.delete(connection)
  }

  /** A client, or a duplicate of it, needs the lease from now on. */
  opened(client: LeasedClient): void {
    this.#clients.add(client)
  }

  /** A client is closed. With the last one the lease ends, if it is ours. Resolves when that is done. */
  async closed(client: LeasedClient): Promise<void> {
    this.#clients.delete(client)
    if (this.#clients.size > 0) return
    this.#ended ??= endPool({
      lease: this.lease,
      ownsLease: this.#ownsLease,
      attachment: this.attachment,
      serveQueue: async () => {},
      allClosed: async () => {},
    })
    await this.#ended
  }

  /** Closes every client, and the lease if it is ours. */
  async close(): Promise<void> {
    await Promise.all(Array.from(this.#clients, (client) => client.close()))
    await this.#ended
  }

  /** Says farewell in bounded time: a server that does not answer, or not in the right way, is left. */
  async farewell(quit: Promise<unknown>, leave: () => void): Promise<void> {
    await settlesWithin(quit, farewellMs, this.#clock)
    leave()
  }

  usage(): PoolUsage {
    const open = new Map<number, number>()
    for (const { credential } of this.#connections)
      if (credential) open.set(credential.generation, (open.get(credential.generation) ?? 0) + 1)
    return { connections: Array.from(open, ([generation, count]) => ({ generation, open: count })) }
  }

  async prove(credential: Credential, signal: AbortSignal): Promise<Proof> {
    try {
      const { gone } = await this.#driver.tryOn(credential, signal)
      this.#leaves(credential, gone)
    } catch (error) {
      throw notProven(credential, this.place, error, isRefusal(error) ? 'refused' : 'unreachable')
    }
    this.attachment.loggedIn(credential)
    return 'accepted'
  }

  async retire(generation: number, terms: RetireTerms): Promise<Retired> {
    const leaving = [...this.#connections].filter(({ credential }) => credential?.generation === generation)
    const forced = await Promise.all(
      leaving.map(async (connection, turn) => {
        await this.#turnOf(turn, leaving.length, terms)
        return await this.#leave(connection, generation, terms)
      }),
    )
    await this.#leaving.get(generation)
    const count = forced.filter((each) => each).length
    return { closed: leaving.length - count, forced: count }
  }

  #leaves({ generation }: Credential, gone: Promise<void>): void {
    const all = Promise.all([this.#leaving.get(generation), gone]).then(() => {
      if (this.#leaving.get(generation) === all) this.#leaving.delete(generation)
    })
    this.#leaving.set(generation, all)
  }

  async #turnOf(turn: number, turns: number, { turns: terms }: RetireTerms): Promise<void> {
    if (!terms) return
    const waitMs = ((terms.by - this.#clock.now()) / turns) * turn
    await sleep(this.#clock, waitMs, terms.over).catch(() => {})
  }

  /** Whether somebody used the connection when it had to go. */
  async #leave(
    connection: LeasedConnection,
    generation: number,
    { signal, stragglerError }: RetireTerms,
  ): Promise<boolean> {
    const { current } = this.attachment
    if (current && current.generation !== generation) {
      const hasLeft = connection.change(generation, signal).then(
        () => true,
        () => false,
      )
      if (await hasLeft) return false
    } else {
      await connection.whenIdle(signal).catch(() => {})
      if (connection.credential?.generation !== generation) return false
    }
    return await connection.replace(stragglerError)
  }
}

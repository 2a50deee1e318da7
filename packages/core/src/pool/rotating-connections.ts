import { EventEmitter } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { VaultLeaseError } from '../errors.ts'
import type { Consumer, Retired, RetireTerms } from '../lease/consumer.ts'
import type { Credential } from '../lease/credential.ts'
import type { LeaseManager } from '../lease/manager.ts'
import { notProven } from './not-proven.ts'

/** What the pool around the connections has to offer. */
export interface PoolHooks {
  /** The most connections that the pool may have. */
  max(): number
  /** Takes the place of one connection in the pool; the connection that had it is closed. Returns the way to free it. */
  occupySlot(): Promise<() => void>
  /** Closes the connections that nobody uses and that belong to an old generation. */
  drainIdle(): void
}

/** What only a driver can do. */
export interface DriverHooks<Connection> {
  /**
   * Opens a connection with the credential, asks the server who it is, and closes it.
   *
   * @throws CredentialNotProvenError when the database does not accept it.
   */
  connectAs(credential: Credential, signal: AbortSignal): Promise<void>
  /**
   * Closes a connection in use: what its holder runs fails with the reason. Resolves when the server has closed it.
   *
   * @throws when it cannot be known that the server has closed it.
   */
  closeUnderHolder(connection: Connection, reason: () => Error): Promise<void>
}

const refusalPauseMs = 20

/** The physical connections of one pool, each tagged with the generation of its credential. */
export class RotatingConnections<Connection extends object> implements Consumer {
  readonly #lease: LeaseManager
  readonly #pool: PoolHooks
  readonly #driver: DriverHooks<Connection>
  readonly #generations = new WeakMap<Connection, number>()
  readonly #refusals = new WeakMap<Error, number>()
  readonly #open = new Map<number, Set<Connection>>()
  readonly #closed = new EventEmitter().setMaxListeners(0)

  constructor(lease: LeaseManager, pool: PoolHooks, driver: DriverHooks<Connection>) {
    this.#lease = lease
    this.#pool = pool
    this.#driver = driver
  }

  /** A connection is being opened with the credential of a generation. */
  opening(connection: Connection, generation: number): void {
    this.#generations.set(connection, generation)
    const connections = this.#open.get(generation) ?? new Set()
    this.#open.set(generation, connections.add(connection))
  }

  /** A connection was closed by the server, or was never opened. */
  closed(connection: Connection): void {
    const generation = this.#generations.get(connection)
    if (generation === undefined) return
    this.#generations.delete(connection)
    const connections = this.#open.get(generation)
    connections?.delete(connection)
    if (connections?.size === 0) this.#open.delete(generation)
    this.#closed.emit('one')
  }

  /** None, once the connection has ended. */
  generationOf(connection: Connection): number | undefined {
    return this.#generations.get(connection)
  }

  /** Whether the connection has ended, or belongs to another generation than the one in force. */
  isStale(connection: Connection): boolean {
    return this.#generations.get(connection) !== this.#lease.generation
  }

  /** Resolves once no connection is open. */
  async allClosed(): Promise<void> {
    await this.#until(() => this.#open.size === 0, new AbortController().signal)
  }

  /** The server refused the credential of this connection. */
  noteRefusal(connection: Connection, error: Error): void {
    const generation = this.#generations.get(connection)
    if (generation !== undefined) this.#refusals.set(error, generation)
  }

  /** Whether connecting again after this error makes sense: the credential was refused and there is a newer one. */
  async worthConnectingAgain(error: unknown): Promise<boolean> {
    const generation = error instanceof Error ? this.#refusals.get(error) : undefined
    return generation !== undefined && (await this.#lease.refused(generation))
  }

  async prove(credential: Credential, signal: AbortSignal): Promise<void> {
    const room = await this.#room(signal)
    if (room === 'none-in-time') return
    try {
      await this.#driver.connectAs(credential, signal)
    } catch (error) {
      throw error instanceof VaultLeaseError ? error : notProven(credential, error, false)
    } finally {
      room?.()
    }
  }

  async retire(generation: number, { signal, stragglerError }: RetireTerms): Promise<Retired> {
    const connections = this.#open.get(generation)
    if (!connections) return { closed: 0, forced: 0 }
    const total = connections.size
    this.#pool.drainIdle()
    await this.#until(() => !this.#open.has(generation), signal)
    const stragglers = [...connections]
    const outcomes = await Promise.allSettled(
      stragglers.map((each) => this.#driver.closeUnderHolder(each, stragglerError)),
    )
    const counts = { closed: total - stragglers.length, forced: stragglers.length }
    const failed = outcomes.find((outcome) => outcome.status === 'rejected')
    return failed ? { ...counts, failure: failed.reason } : counts
  }

  /**
   * Room for the proving connection, so that the server never sees more connections than the pool's `max`. Without a
   * credential to use the pool opens none, so what is free stays free; else a place in the pool has to be taken.
   */
  async #room(signal: AbortSignal): Promise<(() => void) | 'none-in-time' | undefined> {
    const { current, generation } = this.#lease
    if (current || (generation > 0 && this.#isFull())) return await this.#occupiedSlot(signal)
    if (generation === 0) this.#pool.drainIdle()
    await this.#until(() => !this.#isFull(), signal)
    return this.#isFull() ? 'none-in-time' : undefined
  }

  async #occupiedSlot(signal: AbortSignal): Promise<(() => void) | 'none-in-time' | undefined> {
    for (;;) {
      const slot = await this.#slotOrAbortion(signal)
      // The pool's own time-out may be shorter than what we can wait. A pool that is not full needs no slot.
      if (slot !== undefined || !this.#isFull()) return slot
      // A pool that has ended refuses at once, for as long as its last connections are held.
      await sleep(refusalPauseMs, undefined, { signal }).catch(() => {})
    }
  }

  async #slotOrAbortion(signal: AbortSignal): Promise<(() => void) | 'none-in-time' | undefined> {
    const occupied = this.#pool.occupySlot()
    const aborted = new Promise<'none-in-time'>((resolve) => {
      if (signal.aborted) resolve('none-in-time')
      signal.addEventListener('abort', () => resolve('none-in-time'), { once: true })
    })
    const slot = await Promise.race([occupied.catch(() => undefined), aborted])
    // Every connection is held for long: the first one that is opened after the publication proves the credential.
    if (slot === 'none-in-time') occupied.then((vacate) => vacate()).catch(() => {})
    return slot
  }

  #isFull(): boolean {
    const open = [...this.#open.values()].reduce((sum, { size }) => sum + size, 0)
    return open >= this.#pool.max()
  }

  /** Resolves once connections have closed so far that the condition holds, or with the signal. */
  #until(condition: () => boolean, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (!condition() && !signal.aborted) return
        this.#closed.off('one', look)
        signal.removeEventListener('abort', look)
        resolve()
      }
      this.#closed.on('one', look)
      signal.addEventListener('abort', look, { once: true })
      look()
    })
  }
}

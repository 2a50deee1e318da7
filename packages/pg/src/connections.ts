import { EventEmitter } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  type Consumer,
  type Credential,
  CredentialNotProvenError,
  CredentialsUnavailableError,
  type LeaseManager,
  type Retired,
  type RetireTerms,
} from '@vault-lease/core'
import type { Client } from 'pg'
import { closeUnderHolder } from './close.ts'
import { asPgClient, type PgClient } from './driver.ts'
import { answerCursorsOnceLost } from './lost-connection.ts'

/** What the pool around the connections has to offer. */
export interface PoolHooks {
  /** The most connections that the pool may have. */
  readonly max: number
  /** A new client of the driver with the caller's options, not yet connected. */
  newClient(): Client
  /** Takes the place of one connection in the pool; the connection that had it is closed. Returns the way to free it. */
  occupySlot(): Promise<() => void>
  /** Closes the connections that nobody uses and that belong to an old generation. */
  drainIdle(): void
}

const invalidPassword = '28P01'
const invalidAuthorization = '28000'
const insufficientPrivilege = '42501'

const refusalPauseMs = 20

/** The physical PostgreSQL connections of one pool, each tagged with the generation of its credential. */
export class PgConnections implements Consumer {
  readonly #lease: LeaseManager
  readonly #pool: PoolHooks
  readonly #generations = new WeakMap<object, number>()
  readonly #refusals = new WeakMap<Error, number>()
  readonly #open = new Map<number, Set<PgClient>>()
  readonly #closed = new EventEmitter().setMaxListeners(0)

  constructor(lease: LeaseManager, pool: PoolHooks) {
    this.#lease = lease
    this.#pool = pool
  }

  /** Whether the connection has ended, or belongs to another generation than the one in force. */
  isStale(client: object): boolean {
    return this.#generations.get(client) !== this.#lease.generation
  }

  /** Gives a client the user and password in force. Returns why it cannot, when there is none. */
  assignCredential(client: PgClient): Error | undefined {
    const credential = this.#lease.current
    if (!credential)
      return new CredentialsUnavailableError('No database credential may be used at this moment.')
    this.#identify(client, credential)
    client.connection.on('errorMessage', (message: unknown) => {
      if (codeOf(message) === insufficientPrivilege) this.#lease.suspected(credential.generation)
    })
    return undefined
  }

  /** Resolves once no connection is open. */
  async allClosed(): Promise<void> {
    await this.#until(() => this.#open.size === 0, new AbortController().signal)
  }

  /** Remembers which generation the server refused. */
  noteRefusal(client: PgClient, error: Error): void {
    const generation = this.#generations.get(client)
    if (generation !== undefined && isRefusal(error)) this.#refusals.set(error, generation)
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
      await this.#connectAs(credential, signal)
    } finally {
      room?.()
    }
  }

  async retire(generation: number, { signal, stragglerError }: RetireTerms): Promise<Retired> {
    const clients = this.#open.get(generation)
    if (!clients) return { closed: 0, forced: 0 }
    const total = clients.size
    this.#pool.drainIdle()
    await this.#until(() => !this.#open.has(generation), signal)
    const stragglers = [...clients]
    await Promise.all(stragglers.map((client) => closeUnderHolder(client, stragglerError)))
    return { closed: total - stragglers.length, forced: stragglers.length }
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
    return open >= this.#pool.max
  }

  async #connectAs(credential: Credential, signal: AbortSignal): Promise<void> {
    const client = asPgClient(this.#pool.newClient())
    this.#identify(client, credential)
    const abort = (): void => void client.connection.stream.destroy(asError(signal.reason))
    signal.addEventListener('abort', abort, { once: true })
    try {
      signal.throwIfAborted()
      await client.connect()
      // The rows are not read: they may go through type parsers of the caller's.
      const { rowCount } = await client.query('select 1 where session_user = $1', [credential.username])
      if (rowCount !== 1) throw new Error('the session belongs to another user')
    } catch (error) {
      throw notProven(credential, error)
    } finally {
      await client.end()
      signal.removeEventListener('abort', abort)
    }
  }

  #identify(client: PgClient, credential: Credential): void {
    const { generation, username, password } = credential
    client.user = username
    client.password = password
    client.connectionParameters.user = username
    client.connectionParameters.password = password
    this.#generations.set(client, generation)
    const clients = this.#open.get(generation) ?? new Set()
    this.#open.set(generation, clients.add(client))
    client.once('end', () => this.#forget(generation, client))
    answerCursorsOnceLost(client)
    // Queries report the loss of a connection to whoever made them. Without a listener the event would end the process.
    client.on('error', () => {})
  }

  #forget(generation: number, client: PgClient): void {
    this.#generations.delete(client)
    const clients = this.#open.get(generation)
    clients?.delete(client)
    if (clients?.size === 0) this.#open.delete(generation)
    this.#closed.emit('one')
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

function notProven({ username }: Credential, error: unknown): CredentialNotProvenError {
  const { message } = asError(error)
  return new CredentialNotProvenError(
    `The database did not accept the user "${username}" that Vault created: ${message}. ` +
      'Check that Vault and the application reach the same database, and the creation_statements of the role.',
    { cause: error, refused: isRefusal(error) },
  )
}

function isRefusal(error: unknown): boolean {
  const code = codeOf(error)
  return code === invalidPassword || code === invalidAuthorization
}

function codeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason))
}

import { setMaxListeners } from 'node:events'
import { LeaseClosedError } from '../errors.ts'
import type { PoolAttachment } from '../lease/attachment.ts'
import type { Consumer, PoolLoad, PoolUsage, Proof, Retired, RetireTerms, Turns } from '../lease/consumer.ts'
import type { Credential } from '../lease/credential.ts'
import { type Clock, pause, systemClock } from '../resilience/clock.ts'
import { type CountedClient, type HandOver, openInTurn } from './hand-over.ts'
import { notProven } from './not-proven.ts'
import { settlesWithin } from './settles-within.ts'

/** A client of a driver whose connections all belong to one user. */
export interface RetirableClient extends CountedClient {
  /** Told that it is the client for what is new, as long as there is no other. */
  takeOver(): void
  /** Lets the work that it has come to its end, and closes it; at the deadline, under whoever still uses it. */
  retire(terms: RetireTerms): Promise<Retired>
  close(): Promise<void>
  /** How its connections are used. */
  load(): Omit<PoolLoad, 'max'>
}

/** What is asked of the lease. */
export type ClientLease = Pick<
  PoolAttachment,
  'current' | 'generation' | 'credential' | 'refused' | 'accepted' | 'suspected'
>

/** What a driver needs to have a client for each generation. */
export interface ClientPerGenerationParts<Client, Lease extends ClientLease> {
  /** Takes part in a lease. */
  attach(consumer: Consumer): Lease
  /** Where the clients connect, without a secret. */
  readonly place: string
  /**
   * Opens a client, once the database has accepted the credential, or gives that up with the signal.
   *
   * @param login gives the user with its newest password, for each new connection.
   * @throws the driver's own error.
   */
  open(login: () => Credential, signal: AbortSignal): Promise<Client>
  /** Whether an error says that the database did not accept the credential. */
  isRefusal(error: unknown): boolean
  /** Milliseconds that a caller of `current()` waits for a credential. */
  readonly patienceMs: number
}

const giveUpWithinMs = 2_000
const pauseMs = 500
const lookEveryMs = 10
/** A user is proven all the same when whoever holds connections of older ones takes longer. */
const roomWithinMs = 2_000
/** The one for what is new, and one that is left for it. */
const clientsAtOnce = 2

interface Opening<Client> {
  readonly generation: number
  readonly client: Promise<Client>
  readonly stop: AbortController
  /** Aborted when it is given up, for whatever reason. */
  readonly signal: AbortSignal
}

/** The clients of a driver that takes its user when a client is made: one for each generation, opened when it is needed. */
export class ClientPerGeneration<Client extends RetirableClient, Lease extends ClientLease>
  implements Consumer
{
  readonly place: string
  /** The part of the clients in their lease. */
  readonly attachment: Lease
  readonly #parts: ClientPerGenerationParts<Client, Lease>
  readonly #clock: Clock
  readonly #open = new Map<number, Client>()
  readonly #openings = new Set<Opening<Client>>()
  /** By generation: the password of a user can change. */
  readonly #proven = new Map<number, Credential>()
  readonly #closing = new AbortController()
  /** From the client that was replaced last, which does what is new until its turns are over. */
  #handOver: (HandOver<Client> & { readonly stop: AbortController }) | undefined
  /** Clients that have no more than their first connection yet. */
  #connectingNow = 0
  #wasOpen = false

  constructor(parts: ClientPerGenerationParts<Client, Lease>, clock: Clock = systemClock) {
    this.place = parts.place
    this.#parts = parts
    this.#clock = clock
    this.attachment = parts.attach(this)
    // Any number of operations can wait for room.
    setMaxListeners(0, this.#closing.signal)
  }

  /** The client of the generation in force, when it is open. */
  get inForce(): Client | undefined {
    return this.#open.get(this.attachment.generation)
  }

  /** The one in force, and those whose work comes to its end. */
  get open(): Iterable<Client> {
    return this.#open.values()
  }

  /** The client for what is new, when it is open and its credential may be used. */
  get usable(): Client | undefined {
    const { current } = this.attachment
    return current && (this.#handOver?.from ?? this.#open.get(current.generation))
  }

  /**
   * The client of the newest credential. It is opened once, however many ask.
   *
   * @throws CredentialsUnavailableError when there is no credential that may be used.
   * @throws LeaseClosedError after `close()`.
   */
  async current(): Promise<Client> {
    for (;;) {
      if (this.#closing.signal.aborted) throw closedError()
      const credential =
        this.attachment.current ?? (await this.attachment.credential({ timeoutMs: this.#parts.patienceMs }))
      try {
        const client = this.#open.get(credential.generation) ?? (await this.#opened(credential))
        this.attachment.accepted(credential)
        return client
      } catch (error) {
        if (!(await this.#worthAnother(credential, error))) throw error
      }
    }
  }

  /** Whether what is new belongs to a generation; while that is in doubt, a promise of it. */
  isInForce(generation: number): boolean | Promise<boolean> {
    return this.attachment.current ? this.#takesNew(generation) : this.#isInForceThen(generation)
  }

  /** The server does not know the user of a generation as it was: what is new goes to the newest client. */
  doubts(generation: number): void {
    const handOver = this.#handOver
    if (handOver && handOver.from === this.#open.get(generation)) handOver.stop.abort()
  }

  usage(): PoolUsage {
    const connections = Array.from(this.#open, ([generation, client]) => ({
      generation,
      open: sizeOf(client),
    }))
    const loads = Array.from(this.#open.values(), (client) => ({ max: maxOf(client), ...client.load() }))
    const sum = (key: keyof PoolLoad): number => loads.reduce((total, load) => total + load[key], 0)
    return { connections, load: { max: sum('max'), idle: sum('idle'), waiting: sum('waiting') } }
  }

  async prove(credential: Credential, signal: AbortSignal): Promise<Proof> {
    if (this.#closing.signal.aborted) throw closedError()
    const { generation } = credential
    try {
      const room = this.#whenRoomToProve(signal)
      if (room) await room
      // One that is open already is in doubt, or has a new password: only a new connection tells.
      if (this.#open.has(generation)) await this.#connecting(() => this.#tryOn(credential, signal))
      else await this.#opened(credential, signal)
      this.#proven.set(generation, credential)
      return 'accepted'
    } catch (error) {
      throw notProven(credential, this.place, error, this.#parts.isRefusal(error) ? 'refused' : 'unreachable')
    }
  }

  follow({ generation }: Credential): void {
    const client = this.#open.get(generation)
    if (client) client.takeOver()
    // A client that was connected stays so, as one that tells when its server is there again does by itself.
    else if (this.#wasOpen) void this.#openSometime(generation)
  }

  async retire(generation: number, terms: RetireTerms): Promise<Retired> {
    await giveUp(
      [...this.#openings].filter((opening) => opening.generation === generation),
      this.#clock,
    )
    const client = this.#open.get(generation)
    if (!client) return { closed: 0, forced: 0 }
    try {
      if (terms.turns) await this.#handOverFrom(client, terms.turns, terms.signal)
      return await client.retire(terms)
    } finally {
      this.#open.delete(generation)
      this.#proven.delete(generation)
    }
  }

  /** Resolves once every client is closed, also one that was being opened. */
  async close(): Promise<void> {
    this.#closing.abort()
    await giveUp([...this.#openings], this.#clock)
    await Promise.all(Array.from(this.#open.values(), (client) => client.close()))
    this.#open.clear()
  }

  /**
   * Where older clients still have work, one more connection to a server can be more than two clients may have: resolves when it
   * is not, or when there is another reason not to wait.
   */
  whenRoom(server: string, orElse: () => boolean): Promise<void> | undefined {
    if (this.#open.size + this.#connectingNow <= clientsAtOnce || this.#isRoomAt(server)) return undefined
    return this.#until(() => this.#isRoomAt(server) || orElse())
  }

  /** A client that is being replaced keeps from now on only what is in use. */
  #whenRoomToProve(signal: AbortSignal): Promise<void> | undefined {
    this.#handOver?.stop.abort()
    if (this.#open.size < clientsAtOnce) return undefined
    const until = this.#clock.now() + roomWithinMs
    const servers = new Set(
      Array.from(this.#open.values(), (client) => [...client.connections().keys()]).flat(),
    )
    const isRoom = (): boolean => [...servers].every((server) => this.#isRoomAt(server))
    return this.#until(() => isRoom() || signal.aborted || this.#clock.now() >= until)
  }

  #isRoomAt(server: string): boolean {
    let open = this.#connectingNow
    let most = 0
    for (const client of this.#open.values()) {
      open += client.connections().get(server) ?? 0
      most = client.most
    }
    return open < clientsAtOnce * most || most === 0
  }

  async #until(condition: () => boolean): Promise<void> {
    while (!condition() && !this.#closing.signal.aborted)
      await pause(this.#clock, lookEveryMs, this.#closing.signal)
  }

  async #isInForceThen(generation: number): Promise<boolean> {
    if (this.#takesNew(generation)) await this.attachment.credential().catch(() => {})
    return this.#takesNew(generation)
  }

  #takesNew(generation: number): boolean {
    if (this.attachment.generation === generation) return true
    return this.#handOver !== undefined && this.#handOver.from === this.#open.get(generation)
  }

  /** Resolves when the newest client has everything that is new. */
  async #handOverFrom(from: Client, { by, over }: Turns, drained: AbortSignal): Promise<void> {
    this.#handOver?.stop.abort()
    const to = this.inForce
    if (!to) return
    const older = [...this.#open.values()].filter((client) => client !== from && client !== to)
    const handOver = { from, to, older, stop: new AbortController() }
    this.#handOver = handOver
    const end = (): void => {
      if (this.#handOver === handOver) this.#handOver = undefined
    }
    // In the same breath: nobody is given a client whose turns are over.
    handOver.stop.signal.addEventListener('abort', end, { once: true })
    const stopped = AbortSignal.any([over, drained, handOver.stop.signal, this.#closing.signal])
    await openInTurn(handOver, by, stopped, this.#clock)
    end()
  }

  /** Never rejects: who asks meanwhile is told what is wrong. */
  async #openSometime(generation: number): Promise<void> {
    const { signal } = this.#closing
    const isMissing = (): boolean => this.attachment.generation === generation && !this.#open.has(generation)
    while (!signal.aborted && isMissing()) {
      await this.current().catch(() => {})
      if (isMissing()) await pause(this.#clock, pauseMs, signal)
    }
  }

  #opened(credential: Credential, signal?: AbortSignal): Promise<Client> {
    const { generation } = credential
    const underWay = [...this.#openings].find(
      (opening) => opening.generation === generation && !opening.signal.aborted,
    )
    return (underWay ?? this.#begin(credential, signal)).client
  }

  #begin(credential: Credential, ofCaller?: AbortSignal): Opening<Client> {
    const stop = new AbortController()
    const signal = ofCaller ? AbortSignal.any([stop.signal, ofCaller]) : stop.signal
    const opened = this.#connecting(() => this.#openUnlessGivenUp(credential, signal))
    const client = opened.finally(() => this.#openings.delete(opening))
    const opening = { generation: credential.generation, client, stop, signal }
    this.#openings.add(opening)
    return opening
  }

  async #tryOn(credential: Credential, signal: AbortSignal): Promise<void> {
    const client = await this.#parts.open(() => credential, signal)
    await client.close()
  }

  async #connecting<Result>(connect: () => Promise<Result>): Promise<Result> {
    this.#connectingNow++
    try {
      return await connect()
    } finally {
      this.#connectingNow--
    }
  }

  async #openUnlessGivenUp(credential: Credential, signal: AbortSignal): Promise<Client> {
    const client = await this.#parts.open(() => this.#newest(credential), signal)
    if (signal.aborted) {
      await client.close()
      throw signal.reason
    }
    this.#open.set(credential.generation, client)
    this.#wasOpen = true
    if (this.inForce === client) client.takeOver()
    return client
  }

  #newest(first: Credential): Credential {
    const { current } = this.attachment
    if (current?.generation === first.generation) return current
    return this.#proven.get(first.generation) ?? first
  }

  /** Whether there is another client to have in place of one that could not be opened, or soon will be. */
  async #worthAnother(credential: Credential, error: unknown): Promise<boolean> {
    if (this.#closing.signal.aborted || this.attachment.generation !== credential.generation) return true
    const wait = { timeoutMs: this.#parts.patienceMs }
    return this.#parts.isRefusal(error) && (await this.attachment.refused(credential, error, wait))
  }
}

function sizeOf(client: CountedClient): number {
  return [...client.connections().values()].reduce((total, count) => total + count, 0)
}

/** A client may have as many to each server. */
function maxOf(client: CountedClient): number {
  return client.most * Math.max(1, client.connections().size)
}

/** Resolves once nothing is left of them, in bounded time: what a slow driver still opens then, it closes again. */
async function giveUp(openings: readonly Opening<unknown>[], clock: Clock): Promise<void> {
  if (openings.length === 0) return
  for (const { stop } of openings) stop.abort()
  await settlesWithin(Promise.allSettled(openings.map(({ client }) => client)), giveUpWithinMs, clock)
}

function closedError(): LeaseClosedError {
  return new LeaseClosedError('The client was closed: make another one.')
}

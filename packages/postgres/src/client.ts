import { CredentialsUnavailableError, type LeaseManager } from '@vault-lease/core'
import { endPool, type Fate, settlesWithin, type TakenLease } from '@vault-lease/core/adapter'
import postgres, { type LargeObject } from 'postgres'
import { PostgresConnections } from './connections.ts'
import type { DriverConnection, DriverSql, ParsedOptions, Tag } from './driver.ts'
import { endingWhenLost, readingSafely, type WorkOnObject } from './large-object.ts'
import { placeOf, wantedHosts } from './options.ts'
import { Rehearsal } from './rehearsal.ts'
import { Session } from './session.ts'
import { Probe, Slot } from './slot.ts'
import { Transport } from './transport.ts'
import type { Wire } from './wire.ts'

/** What a client of ours is, beside what the driver has made. */
type Ours = { readonly lease: LeaseManager } & AsyncDisposable

/** Less than the driver's own patience, so that callers hear why there is no connection. */
const partOfPatience = 0.9
/** In no URL and nowhere else: the driver sends it, and the login has another one. */
const placeholder = 'vault-lease'

type Open = TakenLease<unknown>['open']

const clients = new WeakMap<object, LeasedClient>()

/** A client of postgres.js whose connections are opened as the user of a lease, and replaced one after another. */
export function leasedClient(url: string | undefined, given: object, open: Open): DriverSql & Ours {
  const client = new LeasedClient(url, given, open)
  clients.set(client.sql, client)
  return client.sql
}

/** What is behind a handle that `leasedClient()` gave. */
export function clientBehind(sql: object): LeasedClient | undefined {
  return clients.get(sql)
}

/** What makes the handle, and what stands behind it. */
export class LeasedClient {
  readonly sql: DriverSql & Ours
  readonly #url: string | undefined
  readonly #given: object
  readonly #lease: LeaseManager
  readonly #ownsLease: boolean
  readonly #connections: PostgresConnections
  readonly #rehearsal: Rehearsal
  /** Those of the driver itself, which knows of one host. */
  readonly #options: ParsedOptions
  readonly #driverEnd: DriverSql['end']
  readonly #slots: Slot[] = []
  /** Sessions of the clients that the driver has beside this one, to listen and to subscribe. */
  readonly #satellites = new Set<Session>()
  /** Those on which a transaction's function runs, or that are reserved. */
  readonly #held = new Set<Session>()
  #unsupported: Error | undefined
  #isUnavailable = false
  #ended: Promise<void> | undefined

  constructor(url: string | undefined, given: object, open: Open) {
    this.#url = url
    this.#given = given
    const wanted = parsed(url, { ...given, user: placeholder, pass: '' })
    const { lease, owned } = open()
    this.#lease = lease
    this.#ownsLease = owned
    const { max, database, connection, connect_timeout, host, port, path, target_session_attrs } = wanted
    const transport = new Transport(wanted)
    this.#connections = new PostgresConnections(
      lease,
      {
        max: () => max + this.#satellites.size,
        giveUpOne: () => this.#giveUpOne(),
        drainIdle: () => this.#drainIdle(),
      },
      {
        place: placeOf({ host, port, path, database }),
        transport,
        wanted: target_session_attrs && wantedHosts[target_session_attrs],
        parameters: { database, client_encoding: 'UTF8', ...texts(connection) },
        patienceMs: 1_000 * connect_timeout * partOfPatience,
      },
    )
    const driver = made(url, {
      ...given,
      user: placeholder,
      pass: '',
      // Of the login, which the driver has no part in. With several hosts it would try for ever, whatever the error.
      host: host.slice(0, 1),
      hostname: undefined,
      port: port.slice(0, 1),
      ssl: false,
      socket: (options: unknown) => this.#socket(options),
      backoff: (retries: number) => this.#backoff(wanted, retries),
      onclose: (id: number) => this.#onClose(wanted, id),
    })
    const { begin, reserve, end, largeObject } = driver
    this.#driverEnd = end
    this.#options = driver.options
    const options = { ...driver.options, host, port }
    this.sql = Object.assign(driver, {
      lease,
      begin: (...args: unknown[]) => this.#begin(begin, args),
      reserve: () => this.#reserve(reserve),
      largeObject: (...args: LargeObjectArgs) => this.#largeObject(() => largeObject(...args)),
      end: (options?: EndOptions) => this.#end(options),
      [Symbol.asyncDispose]: () => this.#end(),
    }) as DriverSql & Ours
    const hooks = {
      denied: ({ session }: Slot) => session?.wire && this.#connections.denied(session.wire),
      fateOf: ({ session }: Slot) => (session?.wire ? this.#connections.fateOf(session.wire) : 'close'),
      freed: (connection: DriverConnection) => {
        this.#slots.find((slot) => slot.connection === connection)?.session?.emit('drain')
      },
      asks: (slot: Slot, fate: Promise<Fate>) => this.#pauseOthers(slot, fate),
    }
    this.#rehearsal = new Rehearsal(driver, (place, backend) => {
      this.#slots.push(new Slot(place, backend, hooks))
    })
    this.#rehearsal.over.catch((error: Error) => {
      this.#unsupported = error
    })
    if (host.length > 1) Object.assign(driver, { options })
  }

  /** It was told to end. */
  get isEnded(): boolean {
    return this.#ended !== undefined
  }

  /** Another client on the same lease. */
  beside(options: object): LeasedClient {
    const lease = this.#lease
    return new LeasedClient(this.#url, { ...this.#given, ...options }, () => ({ lease, owned: false }))
  }

  /** Resolves when the connection of somebody who has reserved it is closed. */
  async whenClosed(scope: unknown): Promise<void> {
    await this.#sessionOf(scope)?.wire?.closed
  }

  #socket(options: unknown): unknown {
    const isOurs = options === this.#options
    if (isOurs && this.#rehearsal.isOn) return this.#rehearsal.socket(this.#options)
    const session = new Session({
      open: async (of, parameters, signal) => {
        if (this.#unsupported) throw this.#unsupported
        if (!isOurs) this.#satellites.add(of)
        try {
          const wire = await this.#connections.open(of, parameters, signal)
          this.#isUnavailable = false
          return wire
        } catch (error) {
          this.#satellites.delete(of)
          this.#isUnavailable = error instanceof CredentialsUnavailableError
          throw error
        }
      },
      get asksForTypes() {
        return (options as ParsedOptions).fetch_types
      },
      cancel: (request) => this.#connections.cancel(request, AbortSignal.timeout(10_000)),
      begins: (of, wire) => this.#begins(of, wire, isOurs),
      isReady: ({ slot }) => {
        const { fetch_types, target_session_attrs } = this.#options
        if (!fetch_types && !target_session_attrs) slot?.isReady()
      },
    })
    return session
  }

  #begins(session: Session, wire: Wire, isOurs: boolean): void {
    if (!isOurs) {
      void wire.closed.then(() => this.#satellites.delete(session))
      return
    }
    const { pid, secret } = wire.greeting
    const slot = this.#slots.find(
      ({ backend, session: other }) =>
        backend.pid === pid && backend.secret === secret && other?.readyState !== 'open',
    )
    slot?.begins(session)
    if (slot && this.#connections.isStale(wire)) slot.leave()
  }

  #backoff({ backoff }: ParsedOptions, retries: number): number {
    // Nothing has failed at the database.
    if (!this.#rehearsal.isOver || retries === 0 || this.#isUnavailable) return 0
    return typeof backoff === 'function' ? backoff(retries) : Number(backoff)
  }

  #onClose({ onclose }: ParsedOptions, id: number): void {
    this.#slots.find(({ connection }) => connection.id === id)?.closed()
    if (this.#rehearsal.isOver) onclose?.(id)
  }

  #pauseOthers(asked: Slot, fate: Promise<Fate>): void {
    const generation = asked.session?.wire?.credential.generation
    for (const slot of this.#slots) {
      if (slot !== asked && slot.session?.wire?.credential.generation === generation) slot.pause(fate)
    }
  }

  /** One that nobody uses, or else one that goes when what it runs is done. */
  async #giveUpOne(): Promise<void> {
    const free = this.#slots.filter(({ session, isEnding, isHeld }) => session?.wire && !isEnding && !isHeld)
    const slot = free.find(({ state }) => state === 'idle') ?? free[0]
    const wire = slot?.session?.wire
    this.#connections.closeSpare(false)
    slot?.leave()
    await wire?.closed
  }

  #drainIdle(): void {
    this.#connections.closeSpare(true)
    for (const slot of this.#slots) {
      const wire = slot.session?.wire
      if (wire && this.#connections.isStale(wire)) slot.leave()
    }
    const { listen, subscribe } = this.sql
    for (const { wire } of this.#satellites) {
      if (!wire || !this.#connections.isStale(wire)) continue
      void listen.sql?.close()
      void subscribe.sql?.close()
    }
  }

  async #begin(begin: DriverSql['begin'], args: unknown[]): Promise<unknown> {
    const run = args.pop() as (scope: unknown) => unknown
    const held = async (scope: unknown): Promise<unknown> => {
      const session = this.#sessionOf(scope)
      if (session) this.#held.add(session)
      try {
        const result = run(scope)
        return await (Array.isArray(result) ? Promise.all(result) : result)
      } finally {
        if (session) this.#held.delete(session)
        this.#letGoSoon()
      }
    }
    try {
      return await (begin as (...all: unknown[]) => Promise<unknown>)(...args, held)
    } finally {
      this.#letGoSoon()
    }
  }

  /** What was lost and nobody holds any more has an end. The driver still says rollback when a transaction is over. */
  #letGoSoon(): void {
    setImmediate(() => {
      for (const { session, isHeld } of this.#slots) {
        if (session?.reason && isHeld && !this.#held.has(session)) session.letGo()
      }
    })
  }

  async #reserve(reserve: DriverSql['reserve']): Promise<unknown> {
    await this.#rehearsal.over
    const scope = await reserve()
    const session = this.#sessionOf(scope)
    if (session) this.#held.add(session)
    const release = scope.release
    let isReleased = false
    scope.release = () => {
      if (isReleased) return
      isReleased = true
      if (session) this.#held.delete(session)
      if (session?.reason) session.letGo()
      else release()
    }
    return scope
  }

  async #largeObject(open: () => Promise<LargeObject>): Promise<LargeObject> {
    const { sql } = this
    const { begin } = sql
    const beginWith = (work: WorkOnObject): unknown =>
      begin(endingWhenLost(work, (scope) => this.#sessionOf(scope)))
    let opened: Promise<LargeObject>
    // The driver begins its transaction before it returns.
    Object.assign(sql, { begin: beginWith })
    try {
      opened = open()
    } finally {
      Object.assign(sql, { begin })
    }
    return readingSafely(await opened)
  }

  #sessionOf(scope: unknown): Session | undefined {
    const probe = new Probe()
    ;(scope as Tag)`-- who is it`.handler(probe)
    return probe.found?.session
  }

  #end({ timeout }: EndOptions = {}): Promise<void> {
    this.#ended ??= endPool({
      lease: this.#lease,
      ownsLease: this.#ownsLease,
      attachment: this.#connections.attachment,
      serveQueue: (withinMs) => this.#serve(withinMs, timeout),
      closeIdle: () => this.#connections.closeSpare(false),
      allClosed: () => this.#connections.allClosed(),
    })
    return this.#ended
  }

  async #serve(withinMs: number, timeout: number | null | undefined): Promise<void> {
    await this.#rehearsal.over.catch(() => {})
    for (const slot of this.#slots) slot.serveBeforeEnd()
    const served = this.#driverEnd({ timeout: timeout ?? undefined })
    await settlesWithin(served, withinMs)
  }
}

type LargeObjectArgs = Parameters<DriverSql['largeObject']>

interface EndOptions {
  readonly timeout?: number | null | undefined
}

function parsed(url: string | undefined, options: object): ParsedOptions {
  return made(url, options).options
}

function made(url: string | undefined, options: object): DriverSql {
  const sql = url === undefined ? postgres(options) : postgres(url, options)
  return sql as unknown as DriverSql
}

function texts(parameters: Readonly<Record<string, unknown>>): Record<string, string> {
  const entries = Object.entries(parameters).filter(([, value]) => value)
  return Object.fromEntries(entries.map(([name, value]) => [name, String(value)]))
}

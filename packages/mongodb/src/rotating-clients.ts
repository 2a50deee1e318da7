import { setTimeout as sleep } from 'node:timers/promises'
import {
  type Consumer,
  type Credential,
  LeaseClosedError,
  type LeaseManager,
  type Retired,
  type RetireTerms,
} from '@vault-lease/core'
import { notProven } from '@vault-lease/core/adapter'
import type { ConnectedClient, SelectOptions, Server, Topology } from './driver.ts'
import { failWithLabels, isRefusal } from './driver.ts'
import { Generation } from './generation.ts'
import { type SessionUse, useOf } from './session-use.ts'

/** Opens a client of the driver. */
export type Connect = (credential: Credential, signal: AbortSignal) => Promise<ConnectedClient>

interface RotatingClientsParts {
  readonly lease: LeaseManager
  readonly connect: Connect
  /** Milliseconds that an operation waits for a credential. */
  readonly patienceMs: number
}

const lookEveryMs = 10
/** What the driver itself asks when it closes. */
const farewells: readonly string[] = ['killCursors', 'endSessions']

/** The clients of the generations, and the way of each operation to one of them. */
export class RotatingClients implements Consumer {
  readonly #lease: LeaseManager
  readonly #connect: Connect
  readonly #patienceMs: number
  readonly #open = new Map<number, Generation>()
  readonly #opening = new Map<number, Promise<Generation>>()
  readonly #views = new WeakMap<Generation, Topology>()
  #last: Generation | undefined
  #refusing = false
  #closed = false

  constructor({ lease, connect, patienceMs }: RotatingClientsParts) {
    this.#lease = lease
    this.#connect = connect
    this.#patienceMs = patienceMs
  }

  /** What the driver takes for its topology: the newest one, from which every operation finds its own way. */
  get topology(): Topology | undefined {
    const newest = this.#open.get(this.#lease.generation) ?? this.#last
    if (!newest) return undefined
    this.#last = newest
    const known = this.#views.get(newest)
    if (known) return known
    const view: Topology = Object.create(newest.topology, {
      selectServer: {
        value: (selector: unknown, options: SelectOptions) =>
          this.#select(selector, options).catch(failWithLabels),
      },
      // Each client closes its own, and its connections in good order.
      close: { value: () => {} },
      closeCheckedOutConnections: { value: () => {} },
    })
    this.#views.set(newest, view)
    return view
  }

  /**
   * The generation that new operations go to.
   *
   * @throws CredentialsUnavailableError when there is no credential that may be used.
   * @throws LeaseClosedError after `close()`.
   */
  async current(): Promise<Generation> {
    for (;;) {
      if (this.#closed) throw new LeaseClosedError('The client was closed: make another one.')
      const credential =
        this.#lease.current ?? (await this.#lease.credential({ timeoutMs: this.#patienceMs }))
      const open = this.#open.get(credential.generation)
      if (open) return open
      try {
        return await this.#opened(credential)
      } catch (error) {
        if (!isRefusal(error) || !(await this.#lease.refused(credential.generation))) throw error
      }
    }
  }

  async prove(credential: Credential, signal: AbortSignal): Promise<void> {
    if (this.#closed) return
    const { generation } = credential
    try {
      // One that is open already is in doubt: only a new connection tells.
      if (this.#open.has(generation)) await this.#connect(credential, signal).then((client) => client.close())
      else await this.#opened(credential, signal)
    } catch (error) {
      throw notProven(credential, error, isRefusal(error))
    }
  }

  async retire(number: number, terms: RetireTerms): Promise<Retired> {
    const generation = this.#open.get(number)
    if (!generation) return { closed: 0, forced: 0 }
    try {
      return await generation.retire(terms)
    } finally {
      this.#open.delete(number)
    }
  }

  /** From now on, new work is refused; what was begun goes on. */
  refuse(): void {
    this.#refusing = true
  }

  /** Resolves once nobody is at work. */
  async idle(): Promise<void> {
    do await sleep(lookEveryMs)
    while ([...this.#open.values()].some(({ busy }) => busy))
  }

  /** Resolves once every client is closed, also one that is being opened. */
  async close(): Promise<void> {
    this.#closed = true
    await Promise.allSettled(this.#opening.values())
    await Promise.all(Array.from(this.#open.values(), (generation) => generation.close()))
    this.#open.clear()
    this.#last = undefined
  }

  async #opened(credential: Credential, signal = new AbortController().signal): Promise<Generation> {
    const { generation } = credential
    const opening =
      this.#opening.get(generation) ??
      this.#openGeneration(credential, signal).finally(() => this.#opening.delete(generation))
    this.#opening.set(generation, opening)
    return await opening
  }

  async #openGeneration(credential: Credential, signal: AbortSignal): Promise<Generation> {
    const client = await this.#connect(credential, signal)
    const generation = new Generation(credential.generation, client, {
      lease: this.#lease,
      current: () => this.current(),
    })
    this.#open.set(credential.generation, generation)
    return generation
  }

  async #select(selector: unknown, options: SelectOptions): Promise<Server> {
    const use = options.session && useOf(options.session)
    const bound = use?.bound ? use.home : undefined
    if (bound && !bound.ended) return await bound.select(selector, options, use)
    if (this.#refusing && isNew(use) && !farewells.includes(options.operationName)) {
      throw new LeaseClosedError('The client is closing: it takes no new work.')
    }
    const generation = await this.current()
    return await generation.select(selector, options, use)
  }
}

function isNew(use: SessionUse | undefined): boolean {
  return !use || (!use.explicit && !use.watches)
}

import { type Credential, LeaseClosedError, type LeaseManager } from '@vault-lease/core'
import {
  attach,
  ClientPerGeneration,
  type PoolAttachment,
  sleep,
  systemClock,
} from '@vault-lease/core/adapter'
import type { ConnectedClient, SelectOptions, Server, Topology } from './driver.ts'
import { failWithLabels, isRefusal } from './driver.ts'
import { Generation } from './generation.ts'
import { credentialOf } from './login.ts'
import { type Emit, ServerEvents } from './server-events.ts'
import { knownUseOf, type SessionUse } from './session-use.ts'

/** Opens a client of the driver, whose events the relay takes. */
type Connect = (login: () => Credential, relay: Emit, signal: AbortSignal) => Promise<ConnectedClient>

interface RotatingClientsParts {
  readonly lease: LeaseManager
  /** Where the clients connect, without a secret. */
  readonly place: string
  readonly connect: Connect
  /** Tells an event of the clients. */
  readonly emit: Emit
  /** Milliseconds that an operation waits for a credential. */
  readonly patienceMs: number
}

const lookEveryMs = 10
/** What the driver itself asks when it closes. */
const farewells: readonly string[] = ['killCursors', 'endSessions']

/** The clients of the generations, and the way of each operation to one of them. */
export class RotatingClients {
  readonly #clients: ClientPerGeneration<Generation, PoolAttachment>
  #topology: Topology | undefined
  #refusing = false

  constructor({ lease, place, connect, emit, patienceMs }: RotatingClientsParts) {
    const events = new ServerEvents(emit)
    const open = async (login: () => Credential, signal: AbortSignal): Promise<Generation> => {
      const ofServers = events.of()
      // What keeps the only one from being connected is worth to know.
      if (!this.#clients.inForce) ofServers.takeTurn()
      const relay: Emit = (event, ...values) => {
        if (typeof event === 'string' && isOfServers(event)) return ofServers.say(event, values[0])
        if (event === 'connectionReady') this.attachment.loggedIn(login())
        return event !== 'open' && emit(event, ...values)
      }
      const { generation } = login()
      const opened: Generation = new Generation(await connect(login, relay, signal), {
        takeOver: () => {
          this.#topology = this.#viewOf(opened.topology)
          ofServers.takeTurn()
        },
        isInForce: () => this.#clients.isInForce(generation),
        whenRoom: (server, orElse) => this.#clients.whenRoom(server, orElse),
        refused: (error) => {
          this.#clients.doubts(generation)
          return this.attachment.refused(credentialOf(error) ?? login(), error, { timeoutMs: patienceMs })
        },
        suspected: () => {
          this.#clients.doubts(generation)
          this.attachment.suspected(login())
        },
        current: () => this.#clients.current(),
      })
      return opened
    }
    const ofLease = (consumer: Parameters<typeof attach>[1]): PoolAttachment => attach(lease, consumer)
    this.#clients = new ClientPerGeneration({ attach: ofLease, place, open, isRefusal, patienceMs })
  }

  /** The part of the clients in their lease. */
  get attachment(): PoolAttachment {
    return this.#clients.attachment
  }

  /** What the driver takes for its topology: the newest one, from which every operation finds its own way. */
  get topology(): Topology | undefined {
    return this.#topology
  }

  /**
   * Resolves once new operations have a client to go to.
   *
   * @throws CredentialsUnavailableError when there is no credential that may be used.
   * @throws LeaseClosedError after `close()`.
   */
  async ready(): Promise<void> {
    await this.#clients.current()
  }

  /** From now on, new work is refused; what was begun goes on. */
  refuse(): void {
    this.#refusing = true
  }

  /** Resolves once nobody is at work. */
  async idle(): Promise<void> {
    do await sleep(systemClock, lookEveryMs)
    while ([...this.#clients.open].some(({ busy }) => busy))
  }

  /** Resolves once every client is closed, also one that was being opened. */
  async close(): Promise<void> {
    await this.#clients.close()
    this.#topology = undefined
  }

  #viewOf(topology: Topology): Topology {
    return Object.create(topology, {
      selectServer: { value: (selector: unknown, options: SelectOptions) => this.#select(selector, options) },
      // Each client closes its own, and its connections in good order.
      close: { value: () => {} },
      closeCheckedOutConnections: { value: () => {} },
    })
  }

  /** As few promises as can be: every operation comes by here. */
  #select(selector: unknown, options: SelectOptions): Promise<Server> {
    const use = options.session && knownUseOf(options.session)
    const bound = use?.bound ? use.home : undefined
    if (bound && !bound.ended) return bound.select(selector, options, use)
    const { usable } = this.#clients
    if (usable && !this.#refusing) return usable.select(selector, options, use)
    return this.#selectOnCurrent(selector, options, use).catch(failWithLabels)
  }

  async #selectOnCurrent(
    selector: unknown,
    options: SelectOptions,
    use: SessionUse | undefined,
  ): Promise<Server> {
    if (this.#refusing && isNew(use) && !farewells.includes(options.operationName)) {
      throw new LeaseClosedError('The client is closing: it takes no new work.')
    }
    const generation = await this.#clients.current()
    return await generation.select(selector, options, use)
  }
}

/** Every operation tells three events: no pattern is matched for them. */
function isOfServers(event: string): boolean {
  return event.startsWith('server') || event.startsWith('topology')
}

function isNew(use: SessionUse | undefined): boolean {
  return !use || (!use.explicit && !use.watches)
}

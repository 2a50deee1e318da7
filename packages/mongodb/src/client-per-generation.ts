import {
  type Consumer,
  type Credential,
  LeaseClosedError,
  type LeaseManager,
  type Retired,
  type RetireTerms,
} from '@vault-lease/core'
import { notProven, settlesWithin } from '@vault-lease/core/adapter'

/** A client of a driver whose connections all belong to one user. */
export interface RetirableClient {
  /** Lets the work that it has come to its end, and closes it; at the deadline, under whoever still uses it. */
  retire(terms: RetireTerms): Promise<Retired>
  close(): Promise<void>
}

/** What is asked of the lease. */
export type ClientLease = Pick<
  LeaseManager,
  'attach' | 'current' | 'generation' | 'credential' | 'refused' | 'suspected'
>

/** What a driver needs to have a client for each generation. */
export interface ClientPerGenerationParts<Client> {
  readonly lease: ClientLease
  /**
   * Opens a client, once the database has accepted the credential, or gives that up with the signal.
   *
   * @throws the driver's own error.
   */
  open(credential: Credential, signal: AbortSignal): Promise<Client>
  /** Whether an error says that the database did not accept the credential. */
  isRefusal(error: unknown): boolean
  /** Milliseconds that a caller of `current()` waits for a credential. */
  readonly patienceMs: number
}

const giveUpWithinMs = 2_000

interface Opening<Client> {
  readonly generation: number
  readonly client: Promise<Client>
  readonly stop: AbortController
  /** Aborted when it is given up, for whatever reason. */
  readonly signal: AbortSignal
}

/** The clients of a driver that takes its user when a client is made: one for each generation, opened when it is needed. */
export class ClientPerGeneration<Client extends RetirableClient> implements Consumer {
  readonly #parts: ClientPerGenerationParts<Client>
  readonly #lease: ClientLease
  readonly #detach: () => void
  readonly #open = new Map<number, Client>()
  readonly #openings = new Set<Opening<Client>>()
  #closed = false

  constructor(parts: ClientPerGenerationParts<Client>) {
    this.#parts = parts
    this.#lease = parts.lease
    this.#detach = parts.lease.attach(this)
  }

  /** The generation in force; 0 when there is none. */
  get generation(): number {
    return this.#lease.generation
  }

  /** The client of the generation in force, when it is open. */
  get inForce(): Client | undefined {
    return this.#open.get(this.#lease.generation)
  }

  /** The one in force, and those whose work comes to its end. */
  get open(): Iterable<Client> {
    return this.#open.values()
  }

  /**
   * The client for what is new. It is opened once, however many ask.
   *
   * @throws CredentialsUnavailableError when there is no credential that may be used.
   * @throws LeaseClosedError after `close()`.
   */
  async current(): Promise<Client> {
    for (;;) {
      if (this.#closed) throw new LeaseClosedError('The client was closed: make another one.')
      const credential =
        this.#lease.current ?? (await this.#lease.credential({ timeoutMs: this.#parts.patienceMs }))
      try {
        return this.#open.get(credential.generation) ?? (await this.#opened(credential))
      } catch (error) {
        if (!(await this.#worthAnother(credential, error))) throw error
      }
    }
  }

  /** Whether what is new belongs to the user of a credential. While that is in doubt, it waits. */
  async isInForce({ generation }: Credential): Promise<boolean> {
    if (!this.#lease.current && this.#lease.generation === generation) {
      await this.#lease.credential().catch(() => {})
    }
    return this.#lease.generation === generation
  }

  /** The database did not accept a credential. Resolves with whether a newer one is in force. */
  async refused({ generation }: Credential): Promise<boolean> {
    return await this.#lease.refused(generation)
  }

  /** The database denied what it would also deny to a user that is no more. */
  suspected({ generation }: Credential): void {
    this.#lease.suspected(generation)
  }

  async prove(credential: Credential, signal: AbortSignal): Promise<void> {
    if (this.#closed) return
    try {
      // One that is open already is in doubt: only a new connection tells.
      if (this.#open.has(credential.generation)) await (await this.#parts.open(credential, signal)).close()
      else await this.#opened(credential, signal)
    } catch (error) {
      throw notProven(credential, error, this.#parts.isRefusal(error))
    }
  }

  async retire(generation: number, terms: RetireTerms): Promise<Retired> {
    await giveUp([...this.#openings].filter((opening) => opening.generation === generation))
    const client = this.#open.get(generation)
    if (!client) return { closed: 0, forced: 0 }
    try {
      return await client.retire(terms)
    } finally {
      this.#open.delete(generation)
    }
  }

  /** Takes part in no more rotations. Resolves once every client is closed, also one that was being opened. */
  async close(): Promise<void> {
    this.#closed = true
    await giveUp([...this.#openings])
    await Promise.all(Array.from(this.#open.values(), (client) => client.close()))
    this.#open.clear()
    this.#detach()
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
    const client = this.#openUnlessGivenUp(credential, signal).finally(() => this.#openings.delete(opening))
    const opening = { generation: credential.generation, client, stop, signal }
    this.#openings.add(opening)
    return opening
  }

  async #openUnlessGivenUp(credential: Credential, signal: AbortSignal): Promise<Client> {
    const client = await this.#parts.open(credential, signal)
    if (signal.aborted) {
      await client.close()
      throw signal.reason
    }
    this.#open.set(credential.generation, client)
    return client
  }

  /** Whether there is another client to have in place of one that could not be opened, or soon will be. */
  async #worthAnother(credential: Credential, error: unknown): Promise<boolean> {
    if (this.#closed || this.#lease.generation !== credential.generation) return true
    return this.#parts.isRefusal(error) && (await this.refused(credential))
  }
}

/** Resolves once nothing is left of them, in bounded time: what a slow driver still opens then, it closes again. */
async function giveUp(openings: readonly Opening<unknown>[]): Promise<void> {
  if (openings.length === 0) return
  for (const { stop } of openings) stop.abort()
  await settlesWithin(Promise.allSettled(openings.map(({ client }) => client)), giveUpWithinMs)
}

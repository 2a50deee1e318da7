/** How much a client has to do. */
export interface Busy {
  /** The connections that it has. */
  readonly connections: number
  /** The operations that are under way on it. */
  readonly atWork: number
}

interface HandOverTerms<Client> {
  readonly client: Client
  readonly generation: number
  /** When it begins and when it is over, in milliseconds on the clock of whoever asks. */
  readonly from: number
  readonly by: number
}

/** What is new goes over from a client to the one that replaces it, so that this opens its connections one after another. */
export class HandOver<Client extends Busy> {
  readonly client: Client
  readonly generation: number
  readonly #from: number
  readonly #by: number
  readonly #connections: number
  readonly #stop = new AbortController()

  constructor({ client, generation, from, by }: HandOverTerms<Client>) {
    this.client = client
    this.generation = generation
    this.#from = from
    this.#by = by
    this.#connections = client.connections
  }

  /** Aborted when the new client is to have everything at once. */
  get stopped(): AbortSignal {
    return this.#stop.signal
  }

  stop(): void {
    this.#stop.abort()
  }

  /** Who takes the next operation: the new client has one at a time in the beginning, and in the end as many as there are. */
  next(newest: Client, now: number): Client {
    const progress = (now - this.#from) / (this.#by - this.#from)
    const mayHave = progress < 1 ? 1 + Math.floor(progress * this.#connections) : Number.POSITIVE_INFINITY
    return newest.atWork < mayHave ? newest : this.client
  }
}

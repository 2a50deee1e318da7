/** What is new goes over from a client to the one that replaces it, so that connections are opened over time. */
export class HandOver<Client> {
  readonly client: Client
  readonly generation: number
  readonly #from: number
  readonly #by: number
  readonly #stop = new AbortController()

  constructor(
    client: Client,
    generation: number,
    { from, by }: { readonly from: number; readonly by: number },
  ) {
    this.client = client
    this.generation = generation
    this.#from = from
    this.#by = by
  }

  /** Aborted when the new client is to have everything at once. */
  get stopped(): AbortSignal {
    return this.#stop.signal
  }

  stop(): void {
    this.#stop.abort()
  }

  /** Whether the old client takes the next: always in the beginning, never in the end. */
  keeps(now: number, random: number): boolean {
    return random >= shareOfNew((now - this.#from) / (this.#by - this.#from))
  }
}

/** Slow at first: a pool under full load opens all its connections for a small part of it. */
export function shareOfNew(progress: number): number {
  return Math.min(1, Math.max(0, progress)) ** 2
}

import { unlessAborted } from './settle.ts'

interface Call<T> {
  readonly outcome: Promise<T>
  readonly stop: AbortController
  waiting: number
}

/** One call for all who ask at the same time. It is given up when all of them have. */
export class SingleFlight<T> {
  readonly #run: (signal: AbortSignal) => Promise<T>
  #call: Call<T> | undefined

  constructor(run: (signal: AbortSignal) => Promise<T>) {
    this.#run = run
  }

  /** The call under way, if there is one. */
  get underWay(): Promise<T> | undefined {
    return this.#call?.outcome
  }

  async join(signal: AbortSignal | undefined): Promise<T> {
    const call = this.#call ?? this.#begin()
    call.waiting++
    try {
      return await unlessAborted(call.outcome, signal)
    } finally {
      call.waiting--
      if (call.waiting === 0 && this.#call === call) this.#giveUp(call, signal?.reason)
    }
  }

  #begin(): Call<T> {
    const stop = new AbortController()
    const outcome = this.#run(stop.signal).finally(() => {
      if (this.#call === call) this.#call = undefined
    })
    const call: Call<T> = { outcome, stop, waiting: 0 }
    this.#call = call
    return call
  }

  #giveUp(call: Call<T>, reason: unknown): void {
    this.#call = undefined
    call.stop.abort(reason)
    call.outcome.catch(() => {})
  }
}

/** Those who wait until something may have changed. */
export class Waiters {
  readonly #waiting = new Set<() => void>()

  wake(): void {
    for (const wake of [...this.#waiting]) wake()
  }

  /** Resolves with the next `wake()`, or earlier: with the signal, or as `pending` does. Rejects if that rejects first. */
  change(signal: AbortSignal | undefined, pending?: Promise<unknown>): Promise<void> {
    return new Promise((resolve, reject) => {
      const done = (): void => {
        this.#waiting.delete(done)
        signal?.removeEventListener('abort', done)
        resolve()
      }
      this.#waiting.add(done)
      signal?.addEventListener('abort', done, { once: true })
      pending?.catch(reject).finally(done)
    })
  }
}

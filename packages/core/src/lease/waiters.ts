/** Those who wait until something may have changed. */
export class Waiters {
  readonly #waiting = new Set<() => void>()

  wake(): void {
    for (const wake of [...this.#waiting]) wake()
  }

  /** Resolves with the next `wake()`, or with the signal. */
  change(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        this.#waiting.delete(done)
        signal?.removeEventListener('abort', done)
        resolve()
      }
      this.#waiting.add(done)
      signal?.addEventListener('abort', done, { once: true })
    })
  }
}

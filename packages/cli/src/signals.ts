/** Resolves with the first signal that ends programs; a second one ends this one at once. */
export function untilInterrupted(): Promise<void> {
  // A promise alone keeps no process alive.
  const alive = setInterval(() => {}, 60_000)
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.once(signal, () => {
        clearInterval(alive)
        resolve()
      })
    }
  })
}

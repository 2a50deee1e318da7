const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/**
 * Resolves with the first signal that ends programs; a second one ends this one at once. Keeps the process alive until then, or
 * until it is disposed of.
 */
export function untilInterrupted(): Promise<void> & Disposable {
  // A promise alone keeps no process alive.
  const alive = setInterval(() => {}, 60_000)
  let interrupt = (): void => {}
  const dispose = (): void => {
    clearInterval(alive)
    for (const signal of signals) process.off(signal, interrupt)
  }
  const interrupted = new Promise<void>((resolve) => {
    interrupt = () => {
      dispose()
      resolve()
    }
  })
  for (const signal of signals) process.on(signal, interrupt)
  return Object.assign(interrupted, { [Symbol.dispose]: dispose })
}

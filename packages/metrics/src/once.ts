/** Begins something once for each key, also where this package is loaded twice, as ESM and as CommonJS. Returns what stops it. */
export function once(name: string, key: object, begin: () => () => void): () => void {
  const running = runningFor(Symbol.for(`vault-lease.metrics.${name}`))
  const before = running.get(key)
  if (before) return before
  const end = begin()
  const stop = (): void => {
    if (running.get(key) !== stop) return
    running.delete(key)
    end()
  }
  running.set(key, stop)
  return stop
}

function runningFor(symbol: symbol): WeakMap<object, () => void> {
  const everywhere = globalThis as { [symbol: symbol]: WeakMap<object, () => void> | undefined }
  everywhere[symbol] ??= new WeakMap()
  return everywhere[symbol]
}

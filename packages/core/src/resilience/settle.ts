import type { Clock } from './clock.ts'

/** Resolves once `promise` has settled in whatever way, or after `ms`. Never rejects. */
export function settled(clock: Clock, promise: Promise<unknown>, ms: number): Promise<void> {
  return new Promise((resolve) => {
    const cancel = clock.schedule(ms, resolve)
    const done = (): void => {
      cancel()
      resolve()
    }
    promise.then(done, done)
  })
}

/** Follows `promise` until the signal is aborted, and rejects with its reason then. */
export function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason)
    if (signal.aborted) onAbort()
    signal.addEventListener('abort', onAbort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}

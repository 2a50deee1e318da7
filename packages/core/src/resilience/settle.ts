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

/** Follows `promise`, but for no longer than `graceMs` after the signal is aborted: it rejects with its reason then. */
export function followed<T>(
  clock: Clock,
  promise: Promise<T>,
  signal: AbortSignal,
  graceMs: number,
): Promise<T> {
  return new Promise((resolve, reject) => {
    let cancel = (): void => {}
    const onAbort = (): void => {
      cancel = clock.schedule(graceMs, () => reject(signal.reason))
    }
    if (signal.aborted) onAbort()
    signal.addEventListener('abort', onAbort, { once: true })
    const done = (): void => {
      signal.removeEventListener('abort', onAbort)
      cancel()
    }
    promise.then(resolve, reject).finally(done)
  })
}

import { performance } from 'node:perf_hooks'

/** Time as the library sees it. Tests put their own in its place and run days of lease life in milliseconds. */
export interface Clock {
  /** Milliseconds on a clock that never goes backwards and does not follow changes of the date. */
  now(): number
  /** Milliseconds since 1970. It can be set, and goes on while the machine sleeps. */
  date(): number
  /** Calls `wake` once after `ms` milliseconds, without keeping the process alive. Returns the way to cancel it. */
  schedule(ms: number, wake: () => void): () => void
  /** Keeps the process alive, for somebody who waits. Returns the way to let it go. */
  keepAlive(): () => void
}

/** Beyond this `setTimeout` fires at once. */
const longestTimer = 2 ** 31 - 1

export const systemClock: Clock = {
  now: () => performance.now(),
  date: () => Date.now(),
  schedule(ms, wake) {
    let timer: NodeJS.Timeout
    const arm = (rest: number): void => {
      const step = Math.min(rest, longestTimer)
      timer = setTimeout(() => (rest > step ? arm(rest - step) : wake()), step)
      timer.unref()
    }
    arm(Math.max(0, ms))
    return () => clearTimeout(timer)
  },
  keepAlive() {
    const timer = setInterval(() => {}, longestTimer)
    return () => clearInterval(timer)
  },
}

/** Follows `promise` with the process kept alive: what waits in it does not do so by itself. */
export async function awaited<T>(clock: Clock, promise: Promise<T>): Promise<T> {
  const letGo = clock.keepAlive()
  try {
    return await promise
  } finally {
    letGo()
  }
}

/** Resolves after `ms` milliseconds, or rejects with the signal's reason as soon as it is aborted. */
export function sleep(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason)
    const onAbort = (): void => {
      cancel()
      reject(signal?.reason)
    }
    const cancel = clock.schedule(ms, () => {
      signal?.removeEventListener('abort', onAbort)
      resolve()
    })
    signal?.addEventListener('abort', onAbort, { once: true })
  })
}

/** As `sleep()`, but with the signal it is only over sooner. */
export async function pause(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  await sleep(clock, ms, signal).catch(() => {})
}

/** A signal that is aborted with `reason()` after `ms` milliseconds, or together with `parent`. Dispose of it when done. */
export interface Deadline extends Disposable {
  readonly signal: AbortSignal
}

export function deadlineAfter(clock: Clock, ms: number, reason: () => Error, parent?: AbortSignal): Deadline {
  const controller = new AbortController()
  const cancel = clock.schedule(ms, () => controller.abort(reason()))
  const follow = (): void => controller.abort(parent?.reason)
  if (parent?.aborted) follow()
  parent?.addEventListener('abort', follow, { once: true })
  return {
    signal: controller.signal,
    [Symbol.dispose]() {
      cancel()
      parent?.removeEventListener('abort', follow)
    },
  }
}

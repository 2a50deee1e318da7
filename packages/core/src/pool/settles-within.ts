import { setTimeout as sleep } from 'node:timers/promises'

/** Whether a promise settles within `ms` milliseconds, in whatever way. */
export async function settlesWithin(promise: Promise<unknown>, ms: number): Promise<boolean> {
  const stop = new AbortController()
  const settled = promise.then(
    () => true,
    () => true,
  )
  const late = sleep(ms, false, { signal: stop.signal }).catch(() => false)
  const inTime = await Promise.race([settled, late])
  stop.abort()
  return inTime
}

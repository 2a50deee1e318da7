import { awaited, type Clock, systemClock } from '../resilience/clock.ts'
import { settled } from '../resilience/settle.ts'

/** Whether a promise settles within `ms` milliseconds, in whatever way. */
export async function settlesWithin(
  promise: Promise<unknown>,
  ms: number,
  clock: Clock = systemClock,
): Promise<boolean> {
  let inTime = false
  const done = (): void => {
    inTime = true
  }
  await awaited(clock, settled(clock, promise.then(done, done), ms))
  return inTime
}

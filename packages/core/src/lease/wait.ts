import { InvalidOptionError } from '../errors.ts'
import { awaited, type Clock, deadlineAfter } from '../resilience/clock.ts'

/** How long a caller is ready to wait. */
export interface WaitOptions {
  /** Ends the wait with its reason. */
  readonly signal?: AbortSignal | undefined
  /** Milliseconds. */
  readonly timeoutMs?: number | undefined
}

/** @throws InvalidOptionError when it is no time. */
export function checkTimeout(timeoutMs: number | undefined): void {
  if (timeoutMs === undefined || (typeof timeoutMs === 'number' && timeoutMs >= 0)) return
  throw new InvalidOptionError('The option "timeoutMs" takes milliseconds, 0 or more.')
}

/** Waits as long as the caller is ready to, with the process kept alive. Rejects with `late()` when the time is over. */
export async function waitFor<T>(
  clock: Clock,
  { signal, timeoutMs }: WaitOptions,
  late: () => Error,
  wait: (signal: AbortSignal | undefined) => Promise<T>,
): Promise<T> {
  checkTimeout(timeoutMs)
  signal?.throwIfAborted()
  const limit = timeoutMs === undefined ? undefined : deadlineAfter(clock, timeoutMs, late, signal)
  try {
    return await awaited(clock, wait(limit?.signal ?? signal))
  } finally {
    limit?.[Symbol.dispose]()
  }
}

/** What a close needs when nobody holds a connection any more: half of its time, but not more than this. */
const closeReserveMs = 5_000

/** How much of the time that a close may take holders have to give back their connections. */
export function drainTimeOf(closeTimeoutMs: number): number {
  return closeTimeoutMs - Math.min(closeReserveMs, closeTimeoutMs / 2)
}

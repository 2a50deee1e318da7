import { setTimeout as sleep } from 'node:timers/promises'

const patienceMs = 10_000

/**
 * Lets what is queued in a pool be served before the pool ends, in bounded time: a holder that never releases, or a Vault
 * that does not answer, cannot hold up the end.
 *
 * @param served settles when whoever is in the queue has got an answer.
 */
export async function serveQueue(served: Promise<void>): Promise<void> {
  const stop = new AbortController()
  const patience = sleep(patienceMs, undefined, { signal: stop.signal })
  // Whoever waited has got the same error.
  await Promise.race([served, patience]).catch(() => {})
  stop.abort()
}

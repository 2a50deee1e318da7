import { setTimeout as sleep } from 'node:timers/promises'

const patienceMs = 10_000

/**
 * Lets what is queued in a pool be served before the pool ends, in bounded time: a holder that never releases, or a Vault
 * that does not answer, cannot hold up the end.
 *
 * @param last gives back what whoever is last in the queue has got.
 */
export async function serveQueue(last: Promise<void>): Promise<void> {
  const served = new AbortController()
  const patience = sleep(patienceMs, undefined, { signal: served.signal })
  // Whoever waited has got the same error.
  await Promise.race([last, patience]).catch(() => {})
  served.abort()
}

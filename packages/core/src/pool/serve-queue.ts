import { settlesWithin } from './settles-within.ts'

const patienceMs = 10_000

/**
 * Lets what is queued in a pool be served before the pool ends, in bounded time: a holder that never releases, or a Vault
 * that does not answer, cannot hold up the end.
 *
 * @param served settles when whoever is in the queue has got an answer, be it an error.
 */
export async function serveQueue(served: Promise<void>): Promise<void> {
  await settlesWithin(served, patienceMs)
}

import type { PoolAttachment } from '../lease/attachment.ts'
import type { LeaseManager } from '../lease/manager.ts'
import { drainTimeOf } from '../lease/wait.ts'
import { awaited, type Clock, systemClock } from '../resilience/clock.ts'
import { settled } from '../resilience/settle.ts'

/** What has a part in the end of a pool, in this order. */
interface PoolEnd {
  readonly lease: LeaseManager
  /** Whether the pool made the lease, and closes it. */
  readonly ownsLease: boolean
  readonly attachment: Pick<PoolAttachment, 'close'>
  /** Answers those who wait in the queue, within the time that is given. */
  serveQueue(withinMs: number): Promise<void>
  /** Closes what nobody uses, and from now on what is given back. */
  closeIdle?(): void
  /** Resolves once the server has closed every connection. */
  allClosed(): Promise<void>
}

const endWithinMs = 15_000

/**
 * Ends a pool in good order: who waits is served, who holds a connection gives it back, the lease is closed. Holders and a Vault
 * that does not answer cannot hold it up: it has one deadline, 15 s after its beginning.
 */
export function endPool(pool: PoolEnd, clock: Clock = systemClock): Promise<void> {
  return awaited(clock, end(pool, clock))
}

async function end(pool: PoolEnd, clock: Clock): Promise<void> {
  const until = clock.now() + endWithinMs
  const leftMs = (): number => Math.max(0, until - clock.now())
  await pool.serveQueue(drainTimeOf(endWithinMs))
  pool.closeIdle?.()
  const timeoutMs = leftMs()
  await (pool.ownsLease ? pool.lease.close({ timeoutMs }) : pool.attachment.close({ timeoutMs }))
  await settled(clock, pool.allClosed(), leftMs())
}

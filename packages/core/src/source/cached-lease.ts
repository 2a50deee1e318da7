import { VaultError } from '../vault/errors.ts'
import type { VaultForLeases } from '../vault/vault-for-leases.ts'
import { issuedLease, type Lease } from './lease.ts'
import type { RequestTerms } from './source.ts'

/** How long a lease lives on, as Vault has said at a moment of the manager's clock. */
export interface TimeLeft {
  readonly leftMs: number
  readonly at: number
}

const lookAtFraction = 1 / 2
/** The cache replaces a lease when a tenth to a fifth of it is left (the grace of Vault's LifetimeWatcher). */
const lastPart = 0.05
const shortestLastPartMs = 500

/**
 * The lease of a credential that a caching Agent or Proxy holds: the cache renews it, hands it to others too, and replaces it
 * shortly before its last end. So it is neither renewed nor revoked here, but looked at again and again.
 */
export function cachedLease(id: string, durationMs: number, { leftMs, at }: TimeLeft): Lease {
  return {
    ...issuedLease(id, { sentAt: at, durationMs: leftMs, renewable: false }),
    durationMs,
    lookAt: at + leftMs * lookAtFraction,
    revocable: false,
  }
}

/** What is left of a cached lease when it is given up for one of our own: the cache should have replaced it by then. */
export function lastPartMs(durationMs: number): number {
  return Math.max(shortestLastPartMs, durationMs * lastPart)
}

/**
 * A cached answer keeps its first lease_duration while the cache renews the lease, so neither that nor the Age header tells
 * how long it lives (seen on `bao proxy` 2.7): Vault is asked. Undefined when the lease is gone, or may not be looked up.
 */
export async function timeLeftOf(
  vault: VaultForLeases,
  leaseId: string,
  { signal, deadline }: RequestTerms,
): Promise<TimeLeft | undefined> {
  const body = { lease_id: leaseId }
  try {
    const { data, sentAt } = await vault.send({
      method: 'PUT',
      path: 'sys/leases/lookup',
      body,
      signal,
      deadline,
    })
    return typeof data['ttl'] === 'number' ? { leftMs: data['ttl'] * 1_000, at: sentAt } : undefined
  } catch (error) {
    if (error instanceof VaultError && !error.retryable) return undefined
    throw error
  }
}

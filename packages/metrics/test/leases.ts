import { createLease, type LeaseManager } from '@vault-lease/core'
import { attach, type Consumer, type PoolAttachment } from '@vault-lease/core/adapter'

/** What no metric, label or span may have. */
export const secret = 'the-password-itself'

/** A lease of users that a function makes, one after another. */
export function leaseOfFunction(): LeaseManager {
  let made = 0
  return createLease({ credential: async () => ({ username: `v-${++made}`, password: secret }) })
}

/** A pool whose database accepts every user, unless a test says otherwise. */
export function poolOn(
  lease: LeaseManager,
  behaviour: Partial<Consumer> = {},
): { readonly attachment: PoolAttachment; readonly place: string } {
  const place = behaviour.place ?? 'test://db:1/app'
  const consumer: Consumer = {
    place,
    prove: async () => 'accepted',
    retire: async () => ({ closed: 1, forced: 0 }),
    ...behaviour,
  }
  return { attachment: attach(lease, consumer), place }
}

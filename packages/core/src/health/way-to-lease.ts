import { InvalidOptionError } from '../errors.ts'
import { LeaseManager } from '../lease/manager.ts'

/** How one comes from what an application has of an adapter to the lease under it; `undefined` while there is none. */
type Way = (handle: object) => LeaseManager | undefined

/** Known by every copy of this library. */
const way: unique symbol = Symbol.for('vault-lease.wayToLease') as never

/** Has `healthOf()` find the lease under what an application has of an adapter. A later way takes the place of the first. */
export function leadToLease(handle: object, lease: Way): void {
  Object.defineProperty(handle, way, { value: lease, configurable: true })
}

/**
 * The lease under a pool, or what else an application has, at the moment at which the way is gone.
 *
 * @throws InvalidOptionError when it leads to none.
 */
export function wayToLease(handle: unknown): () => LeaseManager | undefined {
  if (handle instanceof LeaseManager) return () => handle
  const lease = valueAt(handle, 'lease')
  if (lease instanceof LeaseManager) return () => lease
  // A knex keeps what vaultConnection() has made with its client.
  const client = valueAt(handle, 'client')
  for (const [from, marked] of [
    [handle, handle],
    [client, valueAt(valueAt(client, 'config'), 'connection')],
    ...hooksOf(handle).map((hook) => [handle, hook]),
  ]) {
    const found = valueAt(marked, way)
    if (typeof found === 'function') return () => openLease((found as Way)(from as object))
  }
  throw new InvalidOptionError(
    'There is no lease to look at. Give what an adapter has made (for Prisma the adapter, Mongoose after vaultConnect()), or what createLease() returns.',
  )
}

/** A Sequelize keeps what vaultSequelize() has made among its hooks. */
function hooksOf(handle: unknown): readonly unknown[] {
  const hooks = valueAt(valueAt(valueAt(handle, 'options'), 'hooks'), 'beforeConnect')
  return Array.isArray(hooks) ? hooks : []
}

/** What was closed and can be opened again is as if it had not been opened yet. */
function openLease(lease: LeaseManager | undefined): LeaseManager | undefined {
  return lease?.status().state === 'closed' ? undefined : lease
}

function valueAt(owner: unknown, key: PropertyKey): unknown {
  return (typeof owner === 'object' && owner !== null) || typeof owner === 'function'
    ? (owner as Readonly<Record<PropertyKey, unknown>>)[key]
    : undefined
}

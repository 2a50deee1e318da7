/** What tarn keeps of a connection. */
interface Resource<Connection> {
  readonly resource: Connection
  /** Tells the end of the pool, which waits for what is in use, that this is no more. */
  resolve(): unknown
}

/** The pool inside a knex client, tarn's: what is needed of it here, of which tarn 3 types a part as protected. */
export interface TarnPool<Connection> {
  readonly max: number
  readonly acquireTimeoutMillis: number
  readonly createTimeoutMillis: number
  readonly free: Resource<Connection>[]
  readonly used: Resource<Connection>[]
  numPendingAcquires(): number
  _destroy(connection: Connection): Promise<unknown>
  _tryAcquireOrCreate(): void
}

const limits = ['max', 'acquireTimeoutMillis', 'createTimeoutMillis'] as const
const lists = ['free', 'used'] as const
const methods = ['numPendingAcquires', '_destroy', '_tryAcquireOrCreate'] as const

/** Whether this is a pool of tarn 3 that works the way this package needs. */
export function isTarnPool(candidate: unknown): candidate is TarnPool<unknown> {
  if (typeof candidate !== 'object' || candidate === null) return false
  const pool: Partial<TarnPool<unknown>> = candidate
  return (
    limits.every((limit) => typeof pool[limit] === 'number') &&
    lists.every((list) => Array.isArray(pool[list])) &&
    methods.every((method) => typeof pool[method] === 'function')
  )
}

/**
 * Closes an idle connection. By itself tarn does that for somebody who asks for a connection, when it is not valid, and opens
 * another then. As there, its place is not free before the server has closed it.
 */
export async function closeIdle<Connection>(
  pool: TarnPool<Connection>,
  idle: Resource<Connection>,
  close: (connection: Connection) => Promise<void>,
): Promise<void> {
  remove(pool.free, idle)
  pool.used.push(idle)
  try {
    await close(idle.resource)
  } finally {
    remove(pool.used, idle)
    idle.resolve()
    void pool._destroy(idle.resource)
    pool._tryAcquireOrCreate()
  }
}

function remove<Item>(items: Item[], item: Item): void {
  const index = items.indexOf(item)
  if (index >= 0) items.splice(index, 1)
}

/** A connection of whatever driver. */
export type Connection = object

/** A pool of sequelize-pool 7: what is needed of it here, of which it types a part as private. */
export interface SequelizePool {
  readonly maxSize: number
  /** Who waits for a connection. */
  readonly waiting: number
  readonly acquireTimeoutMillis: number
  readonly _factory: { validate(connection: Connection): boolean }
  /** The places that are taken. */
  _count: number
  readonly _availableObjects: readonly Resource[]
  readonly _inUseObjects: readonly Resource[]
  readonly _draining: boolean
  acquire(): Promise<Connection>
  release(connection: Connection): void
  /** Strikes a connection off and closes it. Its place is free at once. */
  destroy(connection: Connection): Promise<void>
}

interface Resource {
  readonly resource: Connection
}

const numbers = ['maxSize', 'waiting', 'acquireTimeoutMillis', '_count'] as const
const lists = ['_availableObjects', '_inUseObjects'] as const
const methods = ['acquire', 'release', 'destroy'] as const

/** Whether this is a pool of sequelize-pool 7 that works the way this package needs. */
export function isSequelizePool(candidate: unknown): candidate is SequelizePool {
  if (typeof candidate !== 'object' || candidate === null) return false
  const pool: Partial<SequelizePool> = candidate
  return (
    numbers.every((name) => typeof pool[name] === 'number') &&
    lists.every((name) => Array.isArray(pool[name])) &&
    methods.every((name) => typeof pool[name] === 'function') &&
    typeof pool._draining === 'boolean' &&
    typeof pool._factory?.validate === 'function'
  )
}

import type { LeaseManager } from '@vault-lease/core'
import { serveQueue } from '@vault-lease/core/adapter'

/** A pool on the lease of a session. */
interface LeasedPool {
  end(): Promise<void>
}

/** The lease under one DataSource between its `initialize()` and its `destroy()`, and the pools on it. */
export class Session {
  readonly lease: LeaseManager
  readonly #ownsLease: boolean
  readonly #pools: LeasedPool[] = []

  constructor({ lease, owned }: { readonly lease: LeaseManager; readonly owned: boolean }) {
    this.lease = lease
    this.#ownsLease = owned
  }

  add(pool: LeasedPool): void {
    this.#pools.push(pool)
  }

  /** Refuses whoever comes now, serves those who wait, and lets those who work finish, in bounded time. */
  async drain(): Promise<void> {
    const ended = Promise.all(this.#pools.map((pool) => pool.end()))
    await serveQueue(ended.then(() => {}))
  }

  /** Closes the lease, unless it is the caller's. */
  async close(): Promise<void> {
    if (this.#ownsLease) await this.lease.close()
  }
}

import type { LeaseManager } from '@vault-lease/core'
import { awaited, type Clock, sleep, systemClock } from '@vault-lease/core/adapter'

/** A pool on the lease of a session. */
export interface LeasedPool {
  /** Whether somebody waits for a connection, or uses one. */
  readonly atWork: boolean
  end(): Promise<void>
}

const patienceMs = 10_000

/** TypeORM itself does not release every query runner: one that does nothing for this long is not waited for. */
const forgottenAfterMs = 200

const lookEveryMs = 10

/** The lease under one DataSource between its `initialize()` and its `destroy()`, and the pools on it. */
export class Session {
  readonly lease: LeaseManager
  readonly #ownsLease: boolean
  readonly #clock: Clock
  readonly #pools: LeasedPool[] = []

  constructor(
    { lease, owned }: { readonly lease: LeaseManager; readonly owned: boolean },
    clock: Clock = systemClock,
  ) {
    this.lease = lease
    this.#ownsLease = owned
    this.#clock = clock
  }

  add(pool: LeasedPool): void {
    this.#pools.push(pool)
  }

  /** Refuses whoever comes now, serves those who wait, and lets those who work finish, in bounded time. */
  async drain(): Promise<void> {
    const stop = new AbortController()
    const ended = Promise.all(this.#pools.map((pool) => pool.end()))
    try {
      await awaited(this.#clock, Promise.race([ended, this.#untilNobodyWorks(stop.signal)]))
    } finally {
      stop.abort()
    }
  }

  /** Closes the lease, unless it is the caller's. */
  async close(): Promise<void> {
    if (this.#ownsLease) await this.lease.close()
  }

  async #untilNobodyWorks(signal: AbortSignal): Promise<void> {
    const began = this.#clock.now()
    let lastWork = began
    for (let now = began; !signal.aborted; now = this.#clock.now()) {
      // Who waits for a credential is not in the queue of a pool yet.
      if (!this.lease.current || this.#pools.some((pool) => pool.atWork)) lastWork = now
      if (now - lastWork >= forgottenAfterMs || now - began >= patienceMs) return
      await sleep(this.#clock, lookEveryMs)
    }
  }
}

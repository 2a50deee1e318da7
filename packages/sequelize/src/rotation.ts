import { setImmediate } from 'node:timers/promises'
import type { LeaseManager } from '@vault-lease/core'
import { endPool, type PoolAttachment, settlesWithin } from '@vault-lease/core/adapter'
import type { SetRoleOptions } from '@vault-lease/pg/adapter'
import { type ConnectionManager, poolsOf, type ServerConfig } from './connection-manager.ts'
import type { SequelizeDialect } from './dialects.ts'
import { tellingOfLease } from './lease-errors.ts'
import { LeasedPool } from './leased-pool.ts'
import type { Connection } from './sequelize-pool.ts'

/** What a Sequelize is rotated by. */
export interface RotationParts extends SetRoleOptions {
  readonly dialect: SequelizeDialect
  readonly lease: LeaseManager
  readonly ownsLease: boolean
  /** Hears of the end. */
  readonly onClosed: () => void
}

const closedWithinMs = 1_000

/** Overrides of the connection manager of one Sequelize that open and close its connections by generation. */
export class SequelizeRotation {
  readonly lease: LeaseManager
  readonly #ownsLease: boolean
  readonly #onClosed: () => void
  readonly #manager: ConnectionManager
  readonly #original: Pick<ConnectionManager, 'connect' | 'disconnect' | 'close' | 'lib'>
  readonly #pools: readonly LeasedPool[]
  #closed: Promise<void> | undefined

  constructor(manager: ConnectionManager, { dialect, lease, ownsLease, onClosed, setRole }: RotationParts) {
    this.lease = lease
    this.#ownsLease = ownsLease
    this.#onClosed = onClosed
    this.#manager = manager
    this.#original = {
      connect: manager.connect.bind(manager),
      disconnect: manager.disconnect.bind(manager),
      close: manager.close.bind(manager),
      lib: manager.lib,
    }
    this.#pools = poolsOf(manager).map(
      (pool) =>
        new LeasedPool(pool, (config, hooks) =>
          dialect.open(manager.lib, { ...config, setRole }, lease, hooks),
        ),
    )
    manager.connect = (config) => this.#connect(config)
    manager.disconnect = (connection) => this.#disconnect(connection)
    manager.close = () => this.#close()
    manager.dialect.Query = tellingOfLease(manager.dialect.Query)
  }

  #connect(config: ServerConfig): Promise<Connection> {
    for (const pool of this.#pools) {
      const server = pool.servers.find((each) => each.config === config)
      if (server) return pool.connect(server, (driver) => this.#connectOver(driver, config))
    }
    return this.#original.connect(config)
  }

  #connectOver(driver: object, config: ServerConfig): Promise<Connection> {
    // Sequelize makes the connection in the same breath. What it reads of the module later is the same in all of them.
    this.#manager.lib = driver
    return this.#original.connect(config)
  }

  #disconnect(connection: Connection): Promise<void> {
    for (const pool of this.#pools) {
      const closed = pool.close(connection)
      if (closed) return closed
    }
    return this.#original.disconnect(connection)
  }

  #close(): Promise<void> {
    this.#closed ??= this.#end()
    return this.#closed
  }

  async #end(): Promise<void> {
    const servers = this.#pools.flatMap((pool) => pool.servers)
    let closed: Promise<void> = Promise.resolve()
    try {
      await endPool({
        lease: this.lease,
        ownsLease: this.#ownsLease,
        attachment: closingAll(servers.map(({ attachment }) => attachment)),
        serveQueue: async (withinMs) => void (await settlesWithin(this.#queueServed(), withinMs)),
        closeIdle: () => {
          closed = this.#original.close()
          // It waits for connections that are never given back; closing the lease closes those too.
          closed.catch(() => {})
        },
        allClosed: async () => void (await Promise.all(servers.map(({ leased }) => leased.all.allClosed()))),
      })
    } finally {
      for (const pool of this.#pools) pool.forgetHeld()
      const isClosed = await settlesWithin(closed, closedWithinMs)
      this.#restore()
      if (isClosed) await closed
    }
  }

  /** mysql2 keeps every Sequelize for good, by its type cast: what is closed is not to be kept with it. */
  #restore(): void {
    Object.assign(this.#manager, this.#original)
    for (const pool of this.#pools) pool.restore()
    this.#onClosed()
  }

  /** Sequelize refuses whoever has not reached the pool when it closes. */
  async #queueServed(): Promise<void> {
    await this.#manager.versionPromise?.catch(() => {})
    await setImmediate()
    await Promise.all(this.#pools.map((pool) => pool.queueServed()))
  }
}

function closingAll(attachments: readonly PoolAttachment[]): Pick<PoolAttachment, 'close'> {
  return {
    close: async (options) => void (await Promise.all(attachments.map((each) => each.close(options)))),
  }
}

import type { Fate, LeasedDriver, PoolHooks } from '@vault-lease/core/adapter'
import type { PoolOfServers, ServerConfig } from './connection-manager.ts'
import type { Connection, SequelizePool } from './sequelize-pool.ts'
import { Server } from './server.ts'

/** Makes the driver for one server, whose connections are in a pool with these hooks. */
export type OpenDriver = (config: ServerConfig, pool: PoolHooks) => LeasedDriver<Connection>

/**
 * Overrides of one pool inside a Sequelize: it lends connections of the user in force, and a place in it is free when the
 * server has closed the connection too.
 */
export class LeasedPool {
  readonly servers: readonly Server[]
  readonly #pool: SequelizePool
  readonly #original: Pick<SequelizePool, 'acquire' | 'release' | 'destroy'>
  readonly #validate: SequelizePool['_factory']['validate']
  readonly #serverOf = new WeakMap<Connection, Server>()

  constructor({ pool, configs }: PoolOfServers, openDriver: OpenDriver) {
    this.#pool = pool
    this.#original = {
      acquire: pool.acquire.bind(pool),
      release: pool.release.bind(pool),
      destroy: pool.destroy.bind(pool),
    }
    this.#validate = pool._factory.validate.bind(pool._factory)
    // Shorter than the time of the pool: callers are told why there is no connection, and not that it may be full.
    const patienceMs = (): number => 0.9 * pool.acquireTimeoutMillis
    this.servers = configs.map(
      (config) => new Server(config, openDriver(config, this.#hooksFor(config)), patienceMs),
    )
    pool._factory.validate = (connection) => !this.#isStale(connection) && this.#validate(connection)
    pool.acquire = () => this.#acquire()
    pool.release = (connection) => this.#release(connection)
    pool.destroy = (connection) => this.#destroy(connection)
  }

  /** Opens a connection to one of the servers of the pool, as Sequelize does, over the driver that it is given. */
  async connect(server: Server, open: (driver: object) => Promise<Connection>): Promise<Connection> {
    const connection = await server.connect(open)
    this.#serverOf.set(connection, server)
    return connection
  }

  /** Closes a connection of the pool that nobody uses any more. `undefined` for one that is not of the pool. */
  close(connection: Connection): Promise<void> | undefined {
    return this.#serverOf.get(connection)?.leased.closeWhenIdle(connection)
  }

  /** Resolves when those have been served who wait now. */
  async queueServed(): Promise<void> {
    if (this.#pool.waiting > 0) this.#pool.release(await this.#pool.acquire())
  }

  /** Strikes off what is closed under whoever never gives it back: the end of the pool would wait for that. */
  forgetHeld(): void {
    for (const { resource } of this.#pool._inUseObjects) this.#destroyLater(resource)
  }

  /** Takes the overrides away. */
  restore(): void {
    Object.assign(this.#pool, this.#original)
    this.#pool._factory.validate = this.#validate
  }

  #hooksFor(config: ServerConfig): PoolHooks {
    const pool = this.#pool
    return {
      max: () => pool.maxSize,
      giveUpOne: () => this.#giveUpOne(),
      drainIdle: () => this.#drainIdle(),
      load: () => ({
        idle: this.#idleOn(config),
        // Whoever waits may get a connection to any of the servers, and is counted once.
        waiting: config === this.servers[0]?.config ? pool.waiting : 0,
      }),
    }
  }

  #idleOn(config: ServerConfig): number {
    // One that was closed stays in there until somebody asks for it.
    const idle = this.#pool._availableObjects.filter(({ resource }) => !this.#isStale(resource))
    return idle.filter(({ resource }) => this.#serverOf.get(resource)?.config === config).length
  }

  #isStale(connection: Connection): boolean {
    return this.#serverOf.get(connection)?.leased.isStale(connection) ?? true
  }

  #acquire(): Promise<Connection> {
    const usable = this.servers.find(({ attachment }) => attachment.generation > 0) ?? this.servers[0]
    return usable ? usable.lend(this.#original.acquire) : this.#original.acquire()
  }

  #release(connection: Connection): void {
    const fate = this.#serverOf.get(connection)?.leased.fateOf(connection) ?? 'close'
    if (fate === 'keep') this.#original.release(connection)
    else void this.#meet(fate, connection)
  }

  async #meet(fate: Fate | Promise<Fate>, connection: Connection): Promise<void> {
    if ((await fate) === 'close') this.#destroyLater(connection)
    else this.#original.release(connection)
  }

  async #destroy(connection: Connection): Promise<void> {
    const pool = this.#pool
    const before = pool._count
    const destroyed = this.#original.destroy(connection)
    const places = before - pool._count
    pool._count += places
    await destroyed.finally(() => {
      pool._count -= places
    })
  }

  /** What fails then is a hook of the caller's; the connection is struck off by then. */
  #destroyLater(connection: Connection): void {
    this.#pool.destroy(connection).catch(() => {})
  }

  async #giveUpOne(): Promise<void> {
    const idle = this.#pool._availableObjects[0]
    await this.#pool.destroy(idle ? idle.resource : await this.#original.acquire())
  }

  #drainIdle(): void {
    const stale = this.#pool._availableObjects.filter(({ resource }) => this.#isStale(resource))
    for (const { resource } of stale) this.#destroyLater(resource)
  }
}

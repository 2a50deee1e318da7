import { setImmediate } from 'node:timers/promises'
import type { LeaseManager } from '@vault-lease/core'
import {
  endPool,
  type Fate,
  settlesWithin,
  type TakenLease,
  ValidateOnBorrow,
} from '@vault-lease/core/adapter'
import type { KnexConnections, KnexDialect } from './dialect.ts'
import type { KnexClient, KnexConnection } from './knex-client.ts'
import { releaseStreamsOnce } from './release-once.ts'
import { closeIdle } from './tarn-pool.ts'

/** The lease under a knex client between its first connection and its `destroy()`. */
interface Session {
  readonly lease: LeaseManager
  readonly connections: KnexConnections
  readonly pool: ValidateOnBorrow
  readonly owned: boolean
}

const destroyedWithinMs = 1_000

/** Overrides of one knex client that open, check out and release its connections by generation. */
export class KnexRotation {
  /** What knex gives to the driver for each connection; user and password are added as it connects. */
  readonly connectionSettings: object
  readonly #dialect: KnexDialect
  readonly #openLease: TakenLease<unknown>['open']
  readonly #client: KnexClient
  readonly #original: Pick<
    KnexClient,
    | 'acquireRawConnection'
    | 'validateConnection'
    | 'acquireConnection'
    | 'releaseConnection'
    | 'destroy'
    | 'driver'
  >
  #session: Session | undefined
  #firstHandedOut: KnexConnection | undefined
  /** knex is closing its connections by itself. */
  #destroying = false

  constructor(client: KnexClient, dialect: KnexDialect, { open, driver }: TakenLease<object>) {
    this.#dialect = dialect
    this.#client = client
    this.#openLease = open
    this.connectionSettings = driver
    this.#original = {
      driver: client.driver,
      acquireRawConnection: client.acquireRawConnection.bind(client),
      validateConnection: client.validateConnection.bind(client),
      acquireConnection: client.acquireConnection.bind(client),
      releaseConnection: client.releaseConnection.bind(client),
      destroy: client.destroy.bind(client),
    }
    client.acquireRawConnection = () => this.#acquireRawConnection()
    client.validateConnection = (connection) => this.#validateConnection(connection)
    client.acquireConnection = () => this.#acquireConnection()
    client.releaseConnection = (connection) => this.#releaseConnection(connection)
    client.cancelQuery = async (connection) => this.#session?.connections.cancelStatement(connection)
    client.destroy = (callback) => this.#destroy(callback)
    releaseStreamsOnce(client)
  }

  /** Between the first connection and `destroy()`. */
  get lease(): LeaseManager | undefined {
    return this.#session?.lease
  }

  /** A knex that was destroyed can be initialised again, so the lease begins with the first connection. */
  #opened(): Session {
    this.#session ??= this.#open()
    return this.#session
  }

  #open(): Session {
    const { lease, owned } = this.#openLease()
    const connections = this.#dialect.open(this.#original.driver, this.connectionSettings, lease, {
      max: () => this.#client.pool?.max ?? Number.POSITIVE_INFINITY,
      giveUpOne: () => this.#giveUpOne(),
      drainIdle: () => this.#drainIdle(),
      load: () => this.#load(),
    })
    this.#client.driver = connections.driver
    return {
      lease,
      connections,
      pool: new ValidateOnBorrow(connections.all, () => this.#patienceMs()),
      owned,
    }
  }

  async #acquireRawConnection(): Promise<KnexConnection> {
    return await this.#opened().pool.open(() => this.#original.acquireRawConnection())
  }

  /** Shorter than the time of the pool: the callers are told why there is no connection, and not that it may be full. */
  #patienceMs(): number | undefined {
    const { pool } = this.#client
    return pool && 0.9 * Math.min(pool.acquireTimeoutMillis, pool.createTimeoutMillis)
  }

  #acquireConnection(): Promise<KnexConnection> {
    // knex says itself that it has no pool.
    return this.#client.pool
      ? this.#opened().pool.lend(this.#original.acquireConnection)
      : this.#original.acquireConnection()
  }

  /** knex asks before it hands out a connection, and opens another in place of one that is not valid. */
  #validateConnection(connection: KnexConnection): boolean | Promise<boolean> {
    const mayLend = this.#opened().pool.mayLend()
    return mayLend === true ? this.#validate(connection) : this.#validateLater(mayLend, connection)
  }

  async #validateLater(mayLend: Promise<boolean>, connection: KnexConnection): Promise<boolean> {
    // Without a credential knex tries to open a connection, and hears why it cannot.
    if (await mayLend) return await this.#validate(connection)
    await this.#closeStale(connection)
    return false
  }

  #validate(connection: KnexConnection): boolean | Promise<boolean> {
    if (this.#isStale(connection)) return this.#closeStale(connection).then(() => false)
    return this.#firstHandedOut
      ? this.#original.validateConnection(connection)
      : this.#validateFirst(connection)
  }

  async #validateFirst(connection: KnexConnection): Promise<boolean> {
    const valid = await this.#original.validateConnection(connection)
    if (valid) this.#firstHandedOut ??= connection
    return valid
  }

  #releaseConnection(connection?: KnexConnection): Promise<void> {
    // Who asked first, before these overrides, releases also when no connection could be acquired (see release-once.ts).
    if (!connection) return Promise.resolve()
    const fate = this.#fateOf(connection)
    return fate === 'keep' ? this.#original.releaseConnection(connection) : this.#meet(fate, connection)
  }

  #fateOf(connection: KnexConnection): Fate | Promise<Fate> {
    if (connection === this.#firstHandedOut) return 'close'
    return this.#session?.connections.fateOf(connection) ?? 'close'
  }

  async #meet(fate: Fate | Promise<Fate>, connection: KnexConnection): Promise<void> {
    if ((await fate) === 'close') await this.#closeStale(connection)
    await this.#original.releaseConnection(connection)
  }

  #isStale(connection: KnexConnection): boolean {
    // Whoever asked first did so before these overrides were in place: its connection is not used again, because it may
    // be released twice (see release-once.ts).
    if (connection === this.#firstHandedOut) return true
    return this.#session?.connections.isStale(connection) ?? true
  }

  async #closeStale(connection: KnexConnection): Promise<void> {
    await this.#session?.connections.closeWhenIdle(connection)
    // knex would log an end that it did not ask for as an error.
    connection.__knex__disposed = undefined
  }

  async #giveUpOne(): Promise<void> {
    const { pool } = this.#client
    const idle = pool?.free[0]
    if (pool && idle) return await closeIdle(pool, idle, (connection) => this.#closeStale(connection))
    const connection = await this.#original.acquireConnection()
    await this.#closeStale(connection)
    await this.#original.releaseConnection(connection)
  }

  #drainIdle(): void {
    const { pool } = this.#client
    if (!pool || this.#destroying) return
    const stale = pool.free.filter(({ resource }) => this.#isStale(resource))
    for (const idle of stale) {
      closeIdle(pool, idle, (connection) => this.#closeStale(connection)).catch(() => {})
    }
  }

  #load(): { idle: number; waiting: number } {
    const { pool } = this.#client
    // One that was closed stays in there until somebody asks for it.
    const idle = pool?.free.filter(({ resource }) => !this.#isStale(resource)) ?? []
    return { idle: idle.length, waiting: pool?.numPendingAcquires() ?? 0 }
  }

  async #destroy(callback?: (error?: unknown) => void): Promise<void> {
    try {
      await (this.#session ? this.#end(this.#session) : this.#original.destroy())
      callback?.()
    } catch (error) {
      if (!callback) throw error
      callback(error)
    } finally {
      this.#session = undefined
      this.#destroying = false
    }
  }

  async #end({ lease, owned, connections: { all } }: Session): Promise<void> {
    let destroyed: Promise<void> = Promise.resolve()
    await endPool({
      lease,
      ownsLease: owned,
      attachment: all.attachment,
      serveQueue: (withinMs) => this.#serveQueue(withinMs),
      closeIdle: () => {
        this.#destroying = true
        destroyed = this.#original.destroy()
        // It waits for connections that are never released; closing the lease closes those too.
        destroyed.catch(() => {})
      },
      allClosed: () => all.allClosed(),
    })
    // It waits for ever for who never releases a connection, which is closed by now.
    if (await settlesWithin(destroyed, destroyedWithinMs)) await destroyed
  }

  /** knex rejects the acquires that are queued when it is destroyed: wait at the end of the queue. */
  async #serveQueue(withinMs: number): Promise<void> {
    // Queries that were begun just before have not reached the pool yet.
    await setImmediate()
    if (!this.#client.pool?.numPendingAcquires()) return
    const served = this.#acquireConnection().then((connection) => this.#releaseConnection(connection))
    await settlesWithin(served, withinMs)
  }
}

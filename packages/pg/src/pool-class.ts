import type { AdapterOptions, LeaseManager } from '@vault-lease/core'
import { type CheckedOut, Checkout, endPool, type Fate, takeLease } from '@vault-lease/core/adapter'
import type pg from 'pg'
import type { PoolClient, PoolConfig } from 'pg'
import { answeredWithin, cancelStatement, closeWhenIdle } from './close.ts'
import { PgConnections } from './connections.ts'
import { asPgClient, asReleasingPool, type ClientClass, type PgClient, type Release } from './driver.ts'
import { leasedClient } from './leased-client.ts'
import { checkConnectionOptions, pgOptionNames, placeOf } from './options.ts'
import { beforeProcessEnds } from './process-end.ts'
import { checkSetRole, type SetRoleOptions } from './set-role.ts'

/** The options of `VaultPool`: where the lease comes from, and every option of pg.Pool but the user and the password. */
export type VaultPoolOptions = AdapterOptions & SetRoleOptions & Omit<PoolConfig, 'user' | 'password'>

type Answer = (error: Error | undefined, client: PoolClient | undefined, release: Release) => void

/** A client of the pool, with the `release` that the pool has given it. Its class was looked at when it was opened. */
type Taken = PgClient & PoolClient

/** A client whose query has run into `query_timeout` is closed when the server does not answer in this time after its release. */
const answersWithinMs = 1_000

/** A pool that `VaultPool` makes. */
export interface VaultPool extends pg.Pool {
  /** The lease under the pool: its status, events and `rotate()`. */
  readonly lease: LeaseManager
}

/** The class `VaultPool`. */
export type VaultPoolClass = new (options?: VaultPoolOptions) => VaultPool

/** `VaultPool` over another copy of node-postgres, such as the one that an ORM brings. */
export function vaultPoolClass({ Pool, Client }: Pick<typeof pg, 'Pool' | 'Client'>): VaultPoolClass {
  return class VaultPool extends asReleasingPool(Pool) {
    readonly lease: LeaseManager
    readonly #ownsLease: boolean
    readonly #connections: PgConnections
    readonly #checkout: Checkout<Taken>
    #ended: Promise<void> | undefined
    #isGivingBack = false
    #forgetProcessEnd = (): void => {}

    constructor(options: VaultPoolOptions = {}) {
      checkConnectionOptions(options)
      checkSetRole(options)
      const { open, driver } = takeLease(options, pgOptionNames)
      const { lease, owned } = open()
      const Base = (driver.Client as ClientClass | undefined) ?? Client
      const hooks = {
        max: () => this.options.max,
        giveUpOne: () => this.#giveUpOne(),
        drainIdle: () => this.#drainIdle(),
        openFirst: () => (this.totalCount === 0 && !this.ending ? this.#openFirst() : undefined),
      }
      const { setRole } = driver
      const place = placeOf(driver)
      const connections = new PgConnections(lease, hooks, {
        place,
        setRole,
        newClient: () => new Base(driver),
      })
      super({ ...driver, Client: leasedClient(Base, connections) })
      this.lease = lease
      this.#ownsLease = owned
      this.#connections = connections
      this.#checkout = new Checkout(connections.attachment, {
        take: (done) => this.#take(done),
        // The pool gives them out a moment later.
        hasIdle: () => this.idleCount > this.waitingCount,
        giveBack: (client) => this.#giveBack(client),
        isStale: (client) => connections.isStale(client),
        closeStale,
        worthConnectingAgain: (error, wait) => connections.worthConnectingAgain(error, wait),
        patienceMs: () => this.options.connectionTimeoutMillis || undefined,
        tooLate: () => new Error('timeout exceeded when trying to connect'),
      })
      // The pool drops a broken idle connection by itself; without a listener its 'error' event would end the process.
      this.on('error', () => {})
      if (this.options.allowExitOnIdle) this.#forgetProcessEnd = beforeProcessEnds(() => this.end())
    }

    override connect(): Promise<PoolClient>
    override connect(callback: Answer): void
    override connect(callback?: Answer): Promise<PoolClient> | undefined {
      if (this.#ended) return refuse(callback)
      if (callback) {
        this.#acquire(callback)
        return undefined
      }
      return new Promise((resolve, reject) => {
        this.#checkout.acquire((error, client) => (client ? resolve(client) : reject(error)))
      })
    }

    /** A connection that was replaced while it was out, or is in doubt, does not go back to the pool as it is. */
    override _releaseOnce(client: PoolClient, idleListener: () => void): Release {
      let released = false
      return (error) => {
        if (released) throw new Error('Release called on client which has already been released to the pool.')
        released = true
        const fate = error || this.#isGivingBack ? 'keep' : this.#fateOf(client as Taken)
        if (fate === 'keep') this._release(client, idleListener, error)
        else void this.#meet(fate, client as Taken, idleListener)
      }
    }

    override end(): Promise<void>
    override end(callback: () => void): void
    override end(callback?: () => void): Promise<void> | undefined {
      this.#ended ??= this.#end()
      if (!callback) return this.#ended
      this.#ended.then(callback, callback)
      return undefined
    }

    #acquire(done: Answer): void {
      this.#checkout.acquire((error, client) => {
        if (client) done(undefined, client, client.release)
        else done(error ?? undefined, undefined, noRelease)
      })
    }

    #take(done: CheckedOut<Taken>): void {
      super.connect(done as CheckedOut<PoolClient>)
    }

    #fateOf(client: Taken): Fate | Promise<Fate | 'cancel'> {
      return this.#mayHaveTimedOut(client) ? this.#fateOnceAnswered(client) : this.#connections.fateOf(client)
    }

    /** The holder has heard that its query was too late, but the next one would wait behind it. */
    #mayHaveTimedOut(client: Taken): boolean {
      return Boolean(this.options.query_timeout) && client.readyForQuery === false
    }

    async #fateOnceAnswered(client: Taken): Promise<Fate | 'cancel'> {
      return (await answeredWithin(client, answersWithinMs)) ? this.#connections.fateOf(client) : 'cancel'
    }

    /** The connection keeps its place in the pool until the server has closed it, so that `max` holds on both sides. */
    async #meet(
      fate: Fate | Promise<Fate | 'cancel'>,
      client: Taken,
      idleListener: () => void,
    ): Promise<void> {
      const known = await fate
      if (known === 'cancel') cancelStatement(client)
      if (known === 'close') await closeWhenIdle(client).catch(() => {})
      this._release(client, idleListener, known !== 'keep')
    }

    /** Back into the pool as it is: nobody has used it. */
    #giveBack(client: Taken): void {
      this.#isGivingBack = true
      try {
        client.release()
      } finally {
        this.#isGivingBack = false
      }
    }

    async #giveUpOne(): Promise<void> {
      const client = await super.connect()
      await closeWhenIdle(asPgClient(client))
      client.release(true)
    }

    #openFirst(): Promise<void> {
      return new Promise((resolve, reject) => {
        this.#take((error, client) => {
          if (!client) return reject(error)
          // A proof is no use that maxUses counts.
          this.#giveBack(Object.assign(client, { _poolUseCount: -1 }))
          resolve()
        })
      })
    }

    #drainIdle(): void {
      for (let idle = this.idleCount; idle > 0; idle--) {
        this.#take((_error, client) => {
          // A pool that is ending answers with nothing.
          if (!client) return
          if (this.#connections.isStale(client)) closeStale(client)
          else this.#giveBack(client)
        })
      }
    }

    #end(): Promise<void> {
      this.#forgetProcessEnd()
      return endPool({
        lease: this.lease,
        ownsLease: this.#ownsLease,
        attachment: this.#connections.attachment,
        serveQueue: (withinMs) => this.#checkout.end(withinMs, endedError),
        // What it says of clients that are never released nobody waits for.
        closeIdle: () => void super.end().catch(() => {}),
        allClosed: () => this.#connections.allClosed(),
      })
    }
  }
}

/** Nobody uses it. Its place is free when the server has closed it. */
function closeStale(client: Taken): void {
  const vacate = (): void => client.release(true)
  closeWhenIdle(client).then(vacate, vacate)
}

function refuse(callback: Answer | undefined): Promise<PoolClient> | undefined {
  const error = endedError()
  if (!callback) return Promise.reject(error)
  callback(error, undefined, noRelease)
  return undefined
}

function endedError(): Error {
  return new Error('Cannot use a pool after calling end on the pool')
}

function noRelease(): void {}

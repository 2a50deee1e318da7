import type { AdapterOptions, LeaseManager } from '@vault-lease/core'
import { type CheckedOut, Checkout, endPool, takeLease } from '@vault-lease/core/adapter'
import type pg from 'pg'
import type { PoolClient, PoolConfig } from 'pg'
import { closeWhenIdle } from './close.ts'
import { PgConnections } from './connections.ts'
import { asPgClient, type ClientClass } from './driver.ts'
import { leasedClient } from './leased-client.ts'
import { checkConnectionOptions, pgOptionNames, placeOf } from './options.ts'
import { checkSetRole, type SetRoleOptions } from './set-role.ts'

/** The options of `VaultPool`: where the lease comes from, and every option of pg.Pool but the user and the password. */
export type VaultPoolOptions = AdapterOptions & SetRoleOptions & Omit<PoolConfig, 'user' | 'password'>

type Release = (error?: Error | boolean) => void
type Answer = (error: Error | undefined, client: PoolClient | undefined, release: Release) => void

/** A connection that was taken from the pool. */
interface Taken {
  readonly client: PoolClient
  readonly release: Release
}

/** A pool that `VaultPool` makes. */
export interface VaultPool extends pg.Pool {
  /** The lease under the pool: its status, events and `rotate()`. */
  readonly lease: LeaseManager
}

/** The class `VaultPool`. */
export type VaultPoolClass = new (options?: VaultPoolOptions) => VaultPool

/** `VaultPool` over another copy of node-postgres, such as the one that an ORM brings. */
export function vaultPoolClass({ Pool, Client }: Pick<typeof pg, 'Pool' | 'Client'>): VaultPoolClass {
  return class VaultPool extends Pool {
    readonly lease: LeaseManager
    readonly #ownsLease: boolean
    readonly #connections: PgConnections
    readonly #checkout: Checkout<Taken>
    #ended: Promise<void> | undefined

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
        giveBack: ({ release }) => release(),
        isStale: ({ client }) => connections.isStale(asPgClient(client)),
        closeStale: (taken) => this.#closeStale(taken),
        worthConnectingAgain: (error, wait) => connections.worthConnectingAgain(error, wait),
        patienceMs: () => this.options.connectionTimeoutMillis || undefined,
        tooLate: () => new Error('timeout exceeded when trying to connect'),
      })
      // The pool drops a broken idle connection by itself; without a listener its 'error' event would end the process.
      this.on('error', () => {})
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
        this.#acquire((error, client) => (client ? resolve(client) : reject(error)))
      })
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
      this.#checkout.acquire((error, taken) => {
        if (taken) done(undefined, taken.client, this.#watchRelease(taken))
        else done(error ?? undefined, undefined, noRelease)
      })
    }

    #take(done: CheckedOut<Taken>): void {
      super.connect((error, client, release) => done(error, client && { client, release }))
    }

    /** A connection that was replaced while it was out, or is in doubt, does not go back to the pool as it is. */
    #watchRelease(taken: Taken): Release {
      const { client, release } = taken
      let released = false
      client.release = (error) => {
        if (released) throw new Error('Release called on client which has already been released to the pool.')
        const fate = error ? 'keep' : this.#connections.fateOf(asPgClient(client))
        if (fate === 'keep') return release(error)
        released = true
        if (fate === 'close') this.#closeStale(taken)
        else void fate.then((known) => (known === 'keep' ? release() : this.#closeStale(taken)))
      }
      return client.release
    }

    /** The connection keeps its place in the pool until the server has closed it, so that `max` holds on both sides. */
    #closeStale({ client, release }: Taken): void {
      const vacate = (): void => release(true)
      closeWhenIdle(asPgClient(client)).then(vacate, vacate)
    }

    async #giveUpOne(): Promise<void> {
      const client = await super.connect()
      await closeWhenIdle(asPgClient(client))
      client.release(true)
    }

    #drainIdle(): void {
      for (let idle = this.idleCount; idle > 0; idle--) {
        this.#take((_error, taken) => {
          // A pool that is ending answers with nothing.
          if (!taken) return
          if (this.#connections.isStale(asPgClient(taken.client))) this.#closeStale(taken)
          else taken.release()
        })
      }
    }

    #end(): Promise<void> {
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

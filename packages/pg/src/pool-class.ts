import type { AdapterOptions, LeaseManager } from '@vault-lease/core'
import { type CheckedOut, Checkout, endPool, takeLease } from '@vault-lease/core/adapter'
import type pg from 'pg'
import type { PoolClient, PoolConfig } from 'pg'
import { answeredWithin, cancelStatement, closeWhenIdle } from './close.ts'
import { PgConnections } from './connections.ts'
import { asPgClient, type ClientClass, type PgClient } from './driver.ts'
import { leasedClient } from './leased-client.ts'
import { checkConnectionOptions, pgOptionNames, placeOf } from './options.ts'
import { beforeProcessEnds } from './process-end.ts'
import { checkSetRole, type SetRoleOptions } from './set-role.ts'

/** The options of `VaultPool`: where the lease comes from, and every option of pg.Pool but the user and the password. */
export type VaultPoolOptions = AdapterOptions & SetRoleOptions & Omit<PoolConfig, 'user' | 'password'>

type Release = PoolClient['release']
type Answer = (error: Error | undefined, client: PoolClient | undefined, release: Release) => void

/** A client of the pool, with the `release` that the pool has given it. Its class was looked at when it was opened. */
type Taken = PgClient & Pick<PoolClient, 'release'>

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
  return class VaultPool extends Pool {
    readonly lease: LeaseManager
    readonly #ownsLease: boolean
    readonly #connections: PgConnections
    readonly #checkout: Checkout<Taken>
    #ended: Promise<void> | undefined
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
        giveBack: (client) => client.release(),
        isStale: (client) => connections.isStale(client),
        closeStale: (client) => closeStale(client, client.release),
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
      this.#checkout.acquire((error, client) => {
        if (client) done(undefined, client, this.#watchRelease(client))
        else done(error ?? undefined, undefined, noRelease)
      })
    }

    #take(done: CheckedOut<Taken>): void {
      super.connect(done as CheckedOut<PoolClient>)
    }

    /** A connection that was replaced while it was out, or is in doubt, does not go back to the pool as it is. */
    #watchRelease(client: Taken): Release {
      const { release } = client
      let released = false
      client.release = (error) => {
        if (released) throw new Error('Release called on client which has already been released to the pool.')
        if (!error && this.#mayHaveTimedOut(client)) {
          released = true
          void this.#onceAnswered(client, release)
          return
        }
        const fate = error ? 'keep' : this.#connections.fateOf(client)
        if (fate === 'keep') return release(error)
        released = true
        if (fate === 'close') closeStale(client, release)
        else void fate.then((known) => (known === 'keep' ? release() : closeStale(client, release)))
      }
      return client.release
    }

    /** The holder has heard that its query was too late, but the next one would wait behind it. */
    #mayHaveTimedOut(client: Taken): boolean {
      return Boolean(this.options.query_timeout) && client.readyForQuery === false
    }

    async #onceAnswered(client: Taken, release: Release): Promise<void> {
      if (await answeredWithin(client, answersWithinMs)) {
        if ((await this.#connections.fateOf(client)) === 'keep') release()
        else closeStale(client, release)
      } else {
        cancelStatement(client)
        release(true)
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
          Object.assign(client, { _poolUseCount: -1 }).release()
          resolve()
        })
      })
    }

    #drainIdle(): void {
      for (let idle = this.idleCount; idle > 0; idle--) {
        this.#take((_error, client) => {
          // A pool that is ending answers with nothing.
          if (!client) return
          if (this.#connections.isStale(client)) closeStale(client, client.release)
          else client.release()
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

/** The connection keeps its place in the pool until the server has closed it, so that `max` holds on both sides. */
function closeStale(client: PgClient, release: Release): void {
  const vacate = (): void => release(true)
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

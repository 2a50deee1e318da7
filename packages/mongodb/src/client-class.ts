import { setImmediate } from 'node:timers/promises'
import type { LeaseManager } from '@vault-lease/core'
import { endPool, settlesWithin, takeLease } from '@vault-lease/core/adapter'
import type { MongoClient } from 'mongodb'
import { connectAs } from './connect-as.ts'
import type { MongoDriver } from './driver.ts'
import {
  checkMongoOptions,
  mongoOptionNames,
  placeOf,
  type VaultMongoClientOptions,
  withAuthSource,
} from './options.ts'
import { RotatingClients } from './rotating-clients.ts'
import type { Emit } from './server-events.ts'

/** A client that `VaultMongoClient` makes. */
export interface VaultMongoClient extends MongoClient {
  /** The lease under the client: its status, events and `rotate()`. */
  readonly lease: LeaseManager
}

/** The class `VaultMongoClient`. */
export interface VaultMongoClientClass {
  new (uri: string, options?: VaultMongoClientOptions): VaultMongoClient
  /** Makes a client and connects it. */
  connect(uri: string, options?: VaultMongoClientOptions): Promise<VaultMongoClient>
}

/** A credential is there when the server has accepted it, for which the driver has its own time-out. */
const vaultTakesMs = 2_000

/** A server that does not answer is not waited for longer. */
const farewellMs = 2_000

/** `VaultMongoClient` over another copy of the driver, such as the one that an ODM brings. */
export function vaultMongoClientClass(driver: MongoDriver): VaultMongoClientClass {
  return class VaultMongoClient extends driver.MongoClient {
    readonly lease: LeaseManager
    readonly #ownsLease: boolean
    readonly #clients: RotatingClients
    #connected = false
    #closed: Promise<void> | undefined

    constructor(uri: string, options: VaultMongoClientOptions = {}) {
      checkMongoOptions(uri, options)
      const { open, driver: own } = takeLease(options, mongoOptionNames)
      super(uri, own)
      const address = { uri, options: withAuthSource(uri, own) }
      const { lease, owned } = open()
      this.lease = lease
      this.#ownsLease = owned
      this.#clients = new RotatingClients({
        lease,
        place: placeOf(this.options),
        connect: (login, relay, signal) => connectAs(driver, address, login, relay, signal),
        emit: this.emit.bind(this) as Emit,
        patienceMs: this.options.serverSelectionTimeoutMS + vaultTakesMs,
      })
      let gone = false
      Object.defineProperty(this, 'topology', {
        get: () => (gone ? undefined : this.#clients.topology),
        // The driver takes its topology away from a client that is closed.
        set: () => {
          gone = true
        },
      })
    }

    static override async connect(uri: string, options?: VaultMongoClientOptions): Promise<VaultMongoClient> {
      return await new VaultMongoClient(uri, options).connect()
    }

    override async connect(): Promise<this> {
      await this.#clients.ready()
      if (!this.#connected) {
        this.#connected = true
        this.emit('open', this)
      }
      return this
    }

    override close(): Promise<void> {
      this.#closed ??= this.#close()
      return this.#closed
    }

    async #close(): Promise<void> {
      // What was begun just before has not reached a server yet.
      await setImmediate()
      this.#clients.refuse()
      await endPool({
        lease: this.lease,
        ownsLease: this.#ownsLease,
        attachment: this.#clients.attachment,
        serveQueue: async (withinMs) => {
          await settlesWithin(this.#clients.idle(), withinMs)
          await settlesWithin(super.close(), farewellMs)
        },
        allClosed: () => this.#clients.close(),
      })
    }
  }
}

import { setImmediate } from 'node:timers/promises'
import { leadToLease, type TakenLease } from '@vault-lease/core/adapter'
import type { DataSource } from 'typeorm'
import { Session } from './session.ts'

/** Makes the driver of a DataSource open its pools on the lease of a session. */
export type OpenPoolsOn = (session: Session) => void

/** Overrides of one DataSource that begin and end its lease with it. */
export class DataSourceRotation {
  readonly #dataSource: DataSource
  readonly #openLease: TakenLease<unknown>['open']
  readonly #openPoolsOn: OpenPoolsOn
  readonly #original: Pick<DataSource, 'initialize' | 'destroy'>
  #session: Session | undefined
  #initializing: Promise<DataSource> | undefined
  #destroying: Promise<void> | undefined

  constructor(dataSource: DataSource, openLease: TakenLease<unknown>['open'], openPoolsOn: OpenPoolsOn) {
    this.#dataSource = dataSource
    this.#openLease = openLease
    this.#openPoolsOn = openPoolsOn
    this.#original = {
      initialize: dataSource.initialize.bind(dataSource),
      destroy: dataSource.destroy.bind(dataSource),
    }
    dataSource.initialize = () => this.#initialize() as Promise<typeof dataSource>
    dataSource.destroy = () => this.#destroy()
    leadToLease(dataSource, () => this.#session?.lease)
  }

  async #initialize(): Promise<DataSource> {
    // TypeORM says that it is so already.
    if (this.#dataSource.isInitialized) return await this.#original.initialize()
    this.#initializing ??= this.#begin().finally(() => {
      this.#initializing = undefined
    })
    return await this.#initializing
  }

  async #begin(): Promise<DataSource> {
    const session = new Session(this.#openLease())
    this.#session = session
    this.#openPoolsOn(session)
    try {
      return await this.#original.initialize()
    } catch (error) {
      await session.drain()
      await session.close()
      throw error
    }
  }

  async #destroy(): Promise<void> {
    // TypeORM says that there is nothing to destroy.
    if (!this.#dataSource.isInitialized) return await this.#original.destroy()
    this.#destroying ??= this.#end().finally(() => {
      this.#destroying = undefined
    })
    await this.#destroying
  }

  /** TypeORM takes the connections away from whoever is at work: let them finish before. */
  async #end(): Promise<void> {
    // What was begun just before has not reached the pools yet.
    await setImmediate()
    await this.#session?.drain()
    // Closing the lease is bounded in time, also when a connection is never released.
    const closed = this.#session?.close()
    try {
      await this.#original.destroy()
    } finally {
      await closed
    }
  }
}

import { setTimeout as sleep } from 'node:timers/promises'
import type { LeaseManager } from '@vault-lease/core'
import { type FaultProxy, openFaultProxy } from '@vault-lease/testing'
import { vi } from 'vitest'
import type { World } from '../contract/world.ts'
import { leasedSubject, type SubjectName } from '../subjects/index.ts'
import type { HeldOpen, Subject } from '../subjects/subject.ts'

const max = 3

/** Two pools on one lease. One of them can have trouble. */
export class TwoPools implements AsyncDisposable {
  readonly well: Subject
  readonly other: Subject
  readonly lease: LeaseManager
  /** How the other one gets to the server. */
  readonly way: FaultProxy
  readonly #world: World
  #held: HeldOpen[] = []
  #isPestering = false

  private constructor(parts: Pick<TwoPools, 'well' | 'other' | 'lease' | 'way'>, world: World) {
    this.well = parts.well
    this.other = parts.other
    this.lease = parts.lease
    this.way = parts.way
    this.#world = world
  }

  static async open(name: SubjectName, world: World, role: string): Promise<TwoPools> {
    const { database: server, secrets } = world
    const way = await openFaultProxy(server)
    const lease = await world.lease('12s', '24s', { role })
    const place = { users: server, max, log: secrets.look }
    const well = await leasedSubject(name, { ...place, server, acquireTimeoutMs: 10_000 }, { lease })
    const troubled = { host: way.host, port: way.port, database: server.database }
    const other = await leasedSubject(
      name,
      { ...place, server: troubled, acquireTimeoutMs: 1_000 },
      { lease },
    )
    return new TwoPools({ well, other, lease, way }, world)
  }

  /** Takes every connection of the other one. */
  async exhaustOther(): Promise<void> {
    const open = (): Promise<HeldOpen> => vi.waitFor(() => this.other.openTransaction())
    this.#held = await Promise.all(Array.from({ length: max }, open))
  }

  async finishHeld(): Promise<void> {
    await Promise.allSettled(this.#held.splice(0).map((each) => each.finish()))
  }

  /** Asks again and again, whatever comes of it. */
  async pester(ask: () => Promise<unknown>, everyMs: number): Promise<void> {
    this.#isPestering = true
    while (this.#isPestering) {
      await ask().catch((error: unknown) => this.#world.secrets.look(error))
      await sleep(everyMs)
    }
  }

  stopPestering(): void {
    this.#isPestering = false
  }

  /** What a test leaves behind by failing must not stay. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.stopPestering()
    await Promise.race([Promise.all([this.other.close(), this.well.close()]), sleep(3_000)])
    await this.lease.close()
    await this.way[Symbol.asyncDispose]()
  }
}

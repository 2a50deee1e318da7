import type { DatabaseServer } from '@vault-lease/testing'
import type { Application } from './application.ts'
import type { World, WorldName } from './world.ts'

export type Kind = DatabaseServer['kind']

/** Something that goes wrong, and comes to order again. */
export interface Fault {
  readonly name: string
  readonly world: WorldName
  /** Default: every database. */
  readonly databases?: readonly Kind[]
  /** TTL of the leases, in seconds. */
  readonly ttlSeconds: number
  /** How long it lasts. */
  readonly lastsMs: number
  /**
   * What no application can have meanwhile: the database, so that failures say nothing of us until it is back; or every
   * credential, which is dead from the beginning of the fault until the next one.
   */
  readonly takes?: 'database' | 'credentials'
  inject(world: World, applications: readonly Application[]): Promise<void>
  heal(world: World): Promise<void>
}

/** How the fault begins when leases are due to be renewed, and ends well before they die. */
export const inTheMiddleOfALease = { ttlSeconds: 10, lastsMs: 3_000 } as const

/** The same for a Vault that takes some seconds more to come back, as one with integrated storage does. */
export const inTheMiddleOfALongerLease = { ttlSeconds: 18, lastsMs: 3_000 } as const

/** What was in order from the beginning needs no healing. */
export const nothing = async (): Promise<void> => {}

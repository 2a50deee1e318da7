import type { SubjectName } from '../subjects/index.ts'
import type { StaticLogin } from '../subjects/static-user.ts'
import type { Place } from '../subjects/subject.ts'

export type SideName = 'static' | 'leased'

/** The pool of one side: the plain driver with a user and a password, or the same over a lease. */
export interface SidePlan {
  readonly adapter: SubjectName
  readonly side: SideName
  readonly place: Place
  readonly login: StaticLogin
  readonly vault: { readonly address: string; readonly token: string; readonly role: string }
}

/** What a side is told to do, one step after the other; `report` is answered with a measurement, the others with nothing. */
export type Step =
  | { readonly step: 'warmUp'; readonly workers: number }
  | { readonly step: 'turn'; readonly workers: number; readonly lastingMs: number; readonly rotate: boolean }
  | { readonly step: 'report' }

/** What one side did under one load, in one round. */
export interface Measurement {
  readonly queries: number
  readonly failed: number
  /** Of its turns a quarter was quicker: a machine that is slow now and then tells nothing. */
  readonly queriesPerSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  /** What the process used, which other work on the machine changes less than the time it took. A quarter of its turns took less. */
  readonly cpuMicrosecondsPerQuery: number
  /** The heap after a full collection, once the pool is warm. */
  readonly heapBytes: number
}

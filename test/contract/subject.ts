import type { LeaseManager, LeaseOptions } from '@vault-lease/core'
import type { HammerTarget, Postgres } from '@vault-lease/testing'

/** What an adapter under the contract is made with. */
export interface SubjectOptions {
  readonly postgres: Postgres
  readonly max: number
  /** Either a ready lease, which the contract closes, or the options of one, which the adapter closes. */
  readonly from: { readonly lease: LeaseManager } | LeaseOptions
  /** Milliseconds that an acquire waits at most. */
  readonly acquireTimeoutMs: number
}

/** A transaction or a cursor that the contract holds open across a rotation. */
export interface HeldOpen {
  /** Runs one more statement, or reads one more batch, and tells which database user did it. */
  step(): Promise<string>
  finish(): Promise<void>
}

/** One adapter, seen through what every adapter can do. */
export interface Subject extends HammerTarget {
  query(): Promise<unknown>
  transaction(holdMs: number): Promise<unknown>
  stream(): Promise<unknown>
  /** A query that fails with "permission denied" because of the application itself. */
  deniedQuery(): Promise<unknown>
  openTransaction(): Promise<HeldOpen>
  openCursor(): Promise<HeldOpen>
  /** Everything of the adapter that a user can inspect, for the search for secrets. */
  inspectables(): unknown[]
  close(): Promise<void>
}

export type MakeSubject = (options: SubjectOptions) => Promise<Subject>

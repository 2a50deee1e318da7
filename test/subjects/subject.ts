import type { LeaseManager, LeaseOptions } from '@vault-lease/core'
import type { DatabaseServer, HammerTarget } from '@vault-lease/testing'

/** A transaction or a cursor that is held open across a rotation. */
export interface HeldOpen {
  /** Runs one more statement, or reads one more batch, and tells which database user did it. */
  step(): Promise<string>
  finish(): Promise<void>
}

/** What an application does with its database, over whatever pool it has. */
export interface Workload extends HammerTarget {
  query(): Promise<unknown>
  transaction(holdMs: number): Promise<unknown>
  stream(): Promise<unknown>
  /** A query that fails with "permission denied" because of the application itself. */
  deniedQuery(): Promise<unknown>
  openTransaction(): Promise<HeldOpen>
  openCursor(): Promise<HeldOpen>
  /** Given where the database tells of changes. */
  readonly events?: Events
}

/** Numbered events, and those who are told of them. */
interface Events {
  add(n: number): Promise<unknown>
  /** Resolves once it watches; returns the way to end it. */
  watch(onEvent: (n: number) => void): Promise<() => Promise<void>>
}

/** Where a subject connects. */
export interface Place {
  readonly server: Pick<DatabaseServer, 'host' | 'port' | 'database'>
  readonly max: number
  /** Milliseconds that an acquire waits at most. */
  readonly acquireTimeoutMs: number
  /** Who is asked for the users of sessions that cannot tell it themselves. */
  readonly users?: Pick<DatabaseServer, 'query'>
  /** Whether the driver's own time constants (heartbeats, idle limits, lifetimes) are short, in place of its defaults. */
  readonly quick?: boolean
  /** Where the adapter's own log lines go, if it has any. */
  readonly log?: (line: unknown) => void
}

/** A workload over an adapter of ours. */
export interface Subject extends Workload {
  /** Everything of the adapter that a user can inspect, for the search for secrets. */
  inspectables(): unknown[]
  close(): Promise<void>
}

/** The lease is either ready, and closed by whoever made it, or given by its options, and closed by the adapter. */
export type MakeSubject = (place: Place, from: { readonly lease: LeaseManager } | LeaseOptions) => Subject

/** The same workload over the plain driver with a static user, to compare with. */
export type MakeStatic = (
  place: Place,
  login: { readonly user: string; readonly password: string },
) => Subject

/** One workload over a driver, with a lease and without. */
interface Workloads {
  readonly leased: MakeSubject
  readonly plain: MakeStatic
}

/** What stands in the list of subjects. */
export interface Adapter {
  readonly database: DatabaseServer['kind']
  /** Only then its driver is loaded: all of them together take a process seconds. */
  load(): Promise<Workloads>
  /** How many full pools there can be during a drain. */
  readonly pools?: 2
  /** Whether a connection takes statements while it runs others, so that more than one on each can be under way. */
  readonly pipelines?: true
  /** How many connections beside the pool there are for a moment, when a new user is tried. */
  readonly logins?: 1
}

const items = Array.from({ length: 100 }, (_, n) => ({ _id: n + 1, name: `item ${n + 1}`, hits: 0 }))

/** The tables, or collections, that the workloads use. */
export const schemas: Readonly<Record<DatabaseServer['kind'], readonly string[]>> = {
  postgresql: [
    `create table items as select id, 'item ' || id as name, 0 as hits from generate_series(1, 100) id`,
    'alter table items add primary key (id)',
    'create schema private',
    'create table private.forbidden (id int)',
  ],
  mysql: [
    `create table items (id int primary key, name varchar(40), hits int) as
      with recursive numbers (id) as (select 1 union all select id + 1 from numbers where id < 100)
      select id, concat('item ', id) as name, 0 as hits from numbers`,
    'create database private',
    'create table private.forbidden (id int)',
  ],
  mongodb: [
    JSON.stringify({ insert: 'items', documents: items }),
    '{"create":"events"}',
    '{"create":"forbidden","$db":"private"}',
  ],
  redis: [JSON.stringify(['MSET', ...items.flatMap(({ _id, name }) => [`item:${_id}`, name])])],
}

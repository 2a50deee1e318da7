import type { Drop, HammerReport, SessionReport } from '@vault-lease/testing'
import { maxLoginsPer100Ms } from './logins.ts'
import type { Told } from './told.ts'

/** One database user, from its first use to its revocation. Times are milliseconds since the start. */
export interface GenerationFigures {
  readonly username: string
  readonly from: number
  readonly to: number
  /** Sessions of the user that were open when it was dropped. */
  readonly openAtRevoke: number
}

/** What one run came to. */
export interface Figures {
  readonly queries: number
  readonly failed: number
  readonly rotations: number
  readonly generations: readonly GenerationFigures[]
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxConnections: number
  /** The most logins in any 100 ms once the first user was replaced, as the server saw them. */
  readonly maxLoginsPer100Ms: number
  /** Database users that exist after everything was closed. */
  readonly usersLeft: number
  /** What the lease itself has told; absent for a client that has none. */
  readonly told?: Told
}

/** What the report draws beside the figures. */
export interface Run {
  readonly title: string
  readonly figures: Figures
  readonly hammer: HammerReport
  readonly sessions: SessionReport
  /** Date.now() at the start. */
  readonly startedAt: number
  readonly poolMax: number
  /** How many pools of that size there may be during a drain. */
  readonly pools: number
  /** What a reader would wonder about. */
  readonly note?: string
}

/** Brings together when users came into force and what the database saw. A user's end is its drop. */
export function figuresOf(
  run: Omit<Run, 'figures' | 'title' | 'poolMax' | 'pools' | 'note'>,
  facts: {
    readonly rotations: number
    readonly inForceFrom: ReadonlyMap<string, number>
    readonly drops: readonly Drop[]
    readonly usersLeft: number
    readonly told?: Told
  },
): Figures {
  const { hammer, sessions, startedAt } = run
  const generations = facts.drops.map(({ username, openSessions, at }) => ({
    username,
    from: Math.max(0, Math.round((facts.inForceFrom.get(username) ?? at) - startedAt)),
    to: Math.round(at - startedAt),
    openAtRevoke: openSessions,
  }))
  return {
    queries: hammer.queries,
    failed: hammer.failed,
    rotations: facts.rotations,
    generations: generations.sort((a, b) => a.from - b.from),
    p50Ms: round(hammer.p50Ms),
    p99Ms: round(hammer.p99Ms),
    maxConnections: sessions.mostAtOnce,
    maxLoginsPer100Ms: maxLoginsPer100Ms(sessions.timeline),
    usersLeft: facts.usersLeft,
    ...(facts.told && { told: facts.told }),
  }
}

function round(ms: number): number {
  return Math.round(ms * 100) / 100
}

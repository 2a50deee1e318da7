/** How long the connections of a replaced user live on. */
export interface Drain {
  /** Milliseconds until the last of them is closed, under its holder if need be. */
  readonly totalMs: number
  /** The first part of it, in which they are still used, and replaced one after another. */
  readonly turnsMs: number
}

/** What is known of a user that was replaced, in milliseconds. */
export interface Replaced {
  /** How long it has lived. */
  readonly ageMs: number
  /** For how long it can still be used. */
  readonly leftMs: number
  /** How long whoever holds a connection has to finish. */
  readonly drainTimeoutMs: number
}

const turnsFraction = 1 / 4
/** Whoever renders a file replaces a user shortly before its end, an Agent in the last tenth of a TTL, and does not say when that is. */
const turnsFractionWithoutEnd = 1 / 20
const longestTurnsWithoutEndMs = 5_000

/**
 * A pool whose connections are all replaced at once logs in anew in one wave, and a hundred pools on one database in a flood.
 * Users that follow each other fast are replaced as fast. Whoever takes a connection just before its turn has the whole time
 * to drain, where the lease leaves so much.
 */
export function drainOf({ ageMs, leftMs, drainTimeoutMs }: Replaced): Drain {
  const longestMs =
    leftMs === Number.POSITIVE_INFINITY
      ? Math.min(ageMs * turnsFractionWithoutEnd, longestTurnsWithoutEndMs)
      : Math.min(ageMs, leftMs) * turnsFraction
  const turnsMs = Math.min(longestMs, drainTimeoutMs)
  return { totalMs: Math.min(leftMs, drainTimeoutMs + turnsMs), turnsMs }
}

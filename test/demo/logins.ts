import type { SessionSample } from '@vault-lease/testing'

const windowMs = 100

/**
 * The most sessions that were begun in any tenth of a second, as the server lists them. Those of the first user do not count:
 * at the start every pool is empty. A session that was over between two looks is not seen.
 */
export function maxLoginsPer100Ms(timeline: readonly SessionSample[]): number {
  const [first = ''] = timeline.flatMap(({ sessions }) => Object.keys(sessions))
  const begun = timeline.map(({ at, sessions }, index) => {
    const before = timeline[index - 1]?.sessions ?? {}
    const more = Object.entries(sessions).map(([user, count]) =>
      user === first ? 0 : Math.max(0, count - (before[user] ?? 0)),
    )
    return { at, logins: more.reduce((sum, each) => sum + each, 0) }
  })
  const within = (from: number): number =>
    begun.reduce((sum, { at, logins }) => (at >= from && at < from + windowMs ? sum + logins : sum), 0)
  return Math.max(0, ...begun.map(({ at }) => within(at)))
}

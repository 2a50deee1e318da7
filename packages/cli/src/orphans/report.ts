import { table } from '../table.ts'
import type { Dropped } from './drop.ts'
import type { Found, Orphan } from './find.ts'

/** For people. */
export function textOf({ orphans, leased, undecided }: Found): string {
  const counts = `${orphans.length} without a lease, ${leased.length} with one, ${undecided.length} undecided.`
  return [
    `Users that Vault has made: ${counts}`,
    ...(orphans.length > 0
      ? ['', table(['WITHOUT A LEASE', 'SINCE', 'SESSIONS', 'OWNS'], orphans.map(rowOf))]
      : []),
    ...(undecided.length > 0
      ? [
          '',
          table(
            ['UNDECIDED', 'WHY'],
            undecided.map(({ user, why }) => [user.username, why]),
          ),
        ]
      : []),
  ].join('\n')
}

/** For programs. */
export function resultOf({ orphans, leased, undecided }: Found, dropped: readonly Dropped[]): object {
  return {
    orphans: orphans.map(({ username, sessions, owns, ...orphan }) => {
      const outcome = dropped.find((drop) => drop.username === username)
      return {
        username,
        since: dateOf(orphan) ?? null,
        sessions,
        owns,
        ...(outcome && {
          dropped: outcome.kept === undefined,
          ...(outcome.kept !== undefined && { kept: outcome.kept }),
        }),
      }
    }),
    leased: leased.map(({ username }) => username),
    undecided: undecided.map(({ user, why }) => ({ username: user.username, why })),
  }
}

function rowOf({ username, sessions, owns, ...orphan }: Orphan): readonly string[] {
  return [username, dateOf(orphan) ?? 'unknown', String(sessions), owns.join(', ') || '-']
}

function dateOf({ madeAt }: Pick<Orphan, 'madeAt'>): string | undefined {
  return madeAt === undefined ? undefined : new Date(madeAt).toISOString().replace('.000', '')
}

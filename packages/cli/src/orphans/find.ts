import { InvalidOptionError } from '@vault-lease/core'
import type { Engines } from './engines.ts'
import { judge, type MadeUser, type Verdict } from './judge.ts'
import type { ReadName } from './names.ts'
import type { Belongings, Users } from './users.ts'

/** Clocks that differ by more make a lease seem to be of another time than its user. */
const clocksApartMs = 5_000

/** A user that no lease backs. */
export interface Orphan extends MadeUser, Belongings {}

/** What was found. */
export interface Found extends Verdict<MadeUser> {
  readonly orphans: readonly Orphan[]
}

/** Where orphans are looked for, and how they are told. */
export interface Search {
  readonly users: Users
  readonly engines: Pick<Engines, 'leases' | 'staticUsers'>
  readonly readName: ReadName
  /** How long a request to Vault may take at most. */
  readonly requestMs: number
}

/** @throws InvalidOptionError when clocks differ so much that nothing can be told. */
export async function findOrphans(search: Search): Promise<Found> {
  // The users come first: a lease that is issued meanwhile is then seen too.
  const verdict = await judgeNow(search, await usersMade(search))
  const orphans: Orphan[] = []
  for (const user of verdict.orphans) {
    const belongings = await search.users.belongingsOf(user.username)
    // It may have been dropped with its lease meanwhile.
    if (belongings) orphans.push({ ...user, ...belongings })
  }
  return { ...verdict, orphans }
}

/** Whether no lease has come for it since. */
export async function isStillOrphan(search: Search, orphan: Orphan): Promise<boolean> {
  const { orphans } = await judgeNow(search, [orphan])
  return orphans.length > 0
}

async function usersMade({ users, engines, readName }: Search): Promise<readonly MadeUser[]> {
  checkClock('the database', (await users.now()) - Date.now())
  const all = await users.list()
  const fixed = await engines.staticUsers()
  return all.flatMap((user) => {
    const name = fixed.has(user.username) ? undefined : readName(user.username)
    return name ? [{ ...user, ...name, madeAt: name.madeAt ?? user.madeAt }] : []
  })
}

async function judgeNow(
  { engines, requestMs }: Search,
  made: readonly MadeUser[],
): Promise<Verdict<MadeUser>> {
  const lookedAt = Date.now()
  const leases = await engines.leases((role) => made.some((user) => user.mayBeOf(role)))
  for (const { clockAheadMs } of leases) checkClock('Vault', clockAheadMs)
  return judge(made, leases, { lookedAt, requestMs })
}

function checkClock(whose: string, aheadMs: number): void {
  const apart = Math.abs(aheadMs)
  if (apart > clocksApartMs)
    throw new InvalidOptionError(
      `The clock of ${whose} and that of this machine are ${Math.round(apart / 1_000)} s apart: set them right, since users and leases are told by their times.`,
    )
}

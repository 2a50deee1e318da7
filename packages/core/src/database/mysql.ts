// How to speak with MySQL and MariaDB, whichever driver does it. The numbers: "Server Error Message Reference" of MySQL.

import { type Clock, sleep, systemClock } from '../resilience/clock.ts'

const accessDenied = 1045
const accessDeniedWithoutPassword = 1698
const accountLocked = 3118
const accountLockedOnMariaDb = 4151
const refusals: readonly unknown[] = [
  accessDenied,
  accessDeniedWithoutPassword,
  accountLocked,
  accountLockedOnMariaDb,
]

const databaseAccessDenied = 1044
const tableAccessDenied = 1142
const routineAccessDenied = 1370
const denials: readonly unknown[] = [databaseAccessDenied, tableAccessDenied, routineAccessDenied]

/** Finds one row when the session belongs to the user that is its one parameter. */
export const mysqlSessionOfUser = `select 1 from dual where substring_index(session_user(), '@', 1) = ?`

const noSuchGrant = 1141
const noSuchThread = 1094
const killAgainMs = 10
/** MariaDB may take two seconds to end a statement that waits. */
const endsWithinMs = 3_000

/**
 * Kills a session until there is none: the server closes its connection before the statement in it ends.
 *
 * @param run sends a statement through another connection of the same user, which keeps the process alive meanwhile.
 * @throws what `run` throws, and an error when the session is still there after 3 s.
 */
export async function endMySqlSession(
  run: (sql: string) => Promise<unknown>,
  threadId: number,
  clock: Clock = systemClock,
): Promise<void> {
  const giveUpAt = clock.now() + endsWithinMs
  try {
    while (clock.now() < giveUpAt) {
      await run(`kill ${threadId}`)
      await sleep(clock, killAgainMs)
    }
    throw new Error(`The database did not end a statement within ${endsWithinMs} ms of being told to.`)
  } catch (error) {
    if (mysqlErrnoOf(error) !== noSuchThread) throw error
  }
}

/** The user may not log in. */
export function isMySqlRefusal(error: unknown): boolean {
  return refusals.includes(mysqlErrnoOf(error))
}

/** What a session hears that asks for its own rights when its user was dropped. */
export function isMySqlUserGone(error: unknown): boolean {
  return mysqlErrnoOf(error) === noSuchGrant
}

/** What a user hears who is gone, but also one whom the statement is not allowed. */
export function isMySqlDenial(error: unknown): boolean {
  return denials.includes(mysqlErrnoOf(error))
}

/** The number of the server's error, in an error of mysql2 or of mariadb. */
function mysqlErrnoOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'errno' in error ? error.errno : undefined
}

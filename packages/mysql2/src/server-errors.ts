const accessDenied = 1045
const accessDeniedWithoutPassword = 1698
const accountLocked = 3118
const accountLockedOnMariaDb = 4151
/** The server does not let the user in. */
export const refusals: readonly unknown[] = [
  accessDenied,
  accessDeniedWithoutPassword,
  accountLocked,
  accountLockedOnMariaDb,
]

const databaseAccessDenied = 1044
const tableAccessDenied = 1142
const routineAccessDenied = 1370
/** What a user hears who is gone, but also one whom the statement is not allowed. */
export const denials: readonly unknown[] = [databaseAccessDenied, tableAccessDenied, routineAccessDenied]

export function errnoOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'errno' in error ? error.errno : undefined
}

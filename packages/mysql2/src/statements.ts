import { setTimeout as sleep } from 'node:timers/promises'
import type { Credential } from '@vault-lease/core'
import type { Connection } from 'mysql2'

const lookAgainMs = 10

/** @throws when the session is not of this user. */
export async function checkUser(connection: Connection, { username }: Credential): Promise<void> {
  const rows = await rowsOf(
    connection,
    `select 1 from dual where substring_index(session_user(), '@', 1) = ?`,
    [username],
  )
  if (rows.length !== 1) throw new Error('the session belongs to another user')
}

/** Resolves when the session is listed no longer: its connection is closed before the statement in it ends. */
export async function endSession(connection: Connection, threadId: number): Promise<void> {
  await rowsOf(connection, `kill ${threadId}`)
  const listed = 'select 1 from information_schema.processlist where id = ?'
  while ((await rowsOf(connection, listed, [threadId])).length > 0) await sleep(lookAgainMs)
}

/** How many rows there are counts, not what is in them: that may go through a type cast of the caller's. */
export function rowsOf(
  connection: Connection,
  sql: string,
  values: unknown[] = [],
): Promise<readonly unknown[]> {
  return new Promise((resolve, reject) => {
    connection.query(sql, values, (error, rows) =>
      error ? reject(error) : resolve(Array.isArray(rows) ? rows : []),
    )
  })
}

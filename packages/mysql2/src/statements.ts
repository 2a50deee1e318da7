import { setTimeout as sleep } from 'node:timers/promises'
import type { Credential } from '@vault-lease/core'
import type { Connection } from 'mysql2'
import { errnoOf } from './server-errors.ts'

const noSuchThread = 1094
const killAgainMs = 10

/** @throws when the session is not of this user. */
export async function checkUser(connection: Connection, { username }: Credential): Promise<void> {
  const rows = await rowsOf(
    connection,
    `select 1 from dual where substring_index(session_user(), '@', 1) = ?`,
    [username],
  )
  if (rows.length !== 1) throw new Error('the session belongs to another user')
}

/** Kills a session until there is none: the server closes its connection before the statement in it ends. */
export async function endSession(connection: Connection, threadId: number): Promise<void> {
  try {
    for (;;) {
      await rowsOf(connection, `kill ${threadId}`)
      await sleep(killAgainMs)
    }
  } catch (error) {
    if (errnoOf(error) !== noSuchThread) throw error
  }
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

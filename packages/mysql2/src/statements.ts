import type { Credential } from '@vault-lease/core'
import { isMySqlUserGone, mysqlSessionOfUser } from '@vault-lease/core/adapter'
import type { Connection } from 'mysql2'

/** @throws when the session is not of this user. */
export async function checkUser(connection: Connection, { username }: Credential): Promise<void> {
  const rows = await rowsOf(connection, mysqlSessionOfUser, [username])
  if (rows.length !== 1) throw new Error('the session belongs to another user')
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

/**
 * Sessions of a dropped user go on, and know their name still, but not their rights: "There is no such grant defined" (seen on
 * MariaDB 10.11; "Server Error Message Reference" of MySQL, ER_NONEXISTING_GRANT).
 */
export async function askForUser(connection: Connection): Promise<'exists' | 'gone' | 'unknown'> {
  try {
    await rowsOf(connection, 'show grants')
    return 'exists'
  } catch (error) {
    return isMySqlUserGone(error) ? 'gone' : 'unknown'
  }
}

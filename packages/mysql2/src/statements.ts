import type { Credential } from '@vault-lease/core'
import { mysqlSessionOfUser } from '@vault-lease/core/adapter'
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

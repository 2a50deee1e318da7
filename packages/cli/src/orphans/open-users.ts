import type { AdminAccess } from '../database/admin-url.ts'
import { DatabaseError } from '../database/database-error.ts'
import type { DatabaseKind } from '../database/kind.ts'
import { mongodb } from '../database/mongodb.ts'
import { mysql } from '../database/mysql.ts'
import { postgresql } from '../database/postgresql.ts'
import type { Kind } from './names.ts'
import type { OpenUsers, Users } from './users.ts'

/** The drivers are loaded when they are needed. */
const openers: Readonly<Record<Kind, () => Promise<OpenUsers>>> = {
  postgresql: async () => (await import('./postgresql.ts')).openPostgresUsers,
  mysql: async () => (await import('./mysql.ts')).openMySqlUsers,
  mongodb: async () => (await import('./mongodb.ts')).openMongoUsers,
}

const kinds = new Map<DatabaseKind, Kind>([
  [postgresql, 'postgresql'],
  [mysql, 'mysql'],
  [mongodb, 'mongodb'],
])

/** Which of the databases it is. */
export function kindOf({ database }: AdminAccess): Kind {
  const kind = kinds.get(database.kind)
  if (!kind) throw new TypeError('Every kind of database has its users.')
  return kind
}

/** The users, all of whose functions reject with DatabaseErrors. @throws DatabaseError when the superuser cannot log in. */
export async function openUsers(access: AdminAccess): Promise<Users> {
  const open = await openers[kindOf(access)]()
  const users = await asDatabaseError(access, open(access.url))
  return {
    list: () => asDatabaseError(access, users.list()),
    sessions: () => asDatabaseError(access, users.sessions()),
    now: () => asDatabaseError(access, users.now()),
    belongingsOf: (username) => asDatabaseError(access, users.belongingsOf(username)),
    drop: (username, ownership) => asDatabaseError(access, users.drop(username, ownership)),
    [Symbol.asyncDispose]: () => users[Symbol.asyncDispose](),
  }
}

/** @throws DatabaseError whenever `asking` rejects. */
async function asDatabaseError<T>({ database }: AdminAccess, asking: Promise<T>): Promise<T> {
  try {
    return await asking
  } catch (cause) {
    throw new DatabaseError(`${database.place}: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    })
  }
}

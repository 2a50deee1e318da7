import { accessAt } from '../database/admin-url.ts'
import { openUsers } from '../orphans/open-users.ts'
import type { Users } from '../orphans/users.ts'
import { adminUrlOf } from './environment.ts'
import type { LocalServers } from './servers.ts'

/** The users of a local database. */
export async function openUsersOf(database: LocalServers['database']): Promise<Users> {
  return await openUsers(accessAt(adminUrlOf(database)))
}

import type { Servers } from '@vault-lease/testing'
import { accessAt } from '../database/admin-url.ts'
import { openUsers } from '../orphans/open-users.ts'
import type { Users } from '../orphans/users.ts'
import { adminUrlOf } from './environment.ts'

/** The users of a local database. */
export async function openUsersOf(database: Servers['database']): Promise<Users> {
  return await openUsers(accessAt(adminUrlOf(database)))
}

import { namesOfVault } from '../orphans/names.ts'
import type { LocalServers } from './servers.ts'
import { openUsersOf } from './users.ts'

/** Drops the users of a Vault that was killed, in data that were kept: the new one has no leases yet. */
export async function dropLeftovers({ database }: LocalServers): Promise<void> {
  await using users = await openUsersOf(database)
  const isOfVault = namesOfVault(database.kind)
  const ownership = database.kind === 'postgresql' ? { reassignTo: database.superuser.user } : undefined
  for (const { username } of await users.list()) {
    if (isOfVault(username)) await users.drop(username, ownership)
  }
}

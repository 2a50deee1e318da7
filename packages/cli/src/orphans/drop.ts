import { isStillOrphan, type Orphan, type Search } from './find.ts'
import type { Ownership } from './users.ts'

/** What became of an orphan: `kept` says why it was not dropped. */
export interface Dropped {
  readonly username: string
  readonly kept: string | undefined
}

/** Drops orphans one after another. Those that cannot be dropped are told, and the others go on. */
export async function* dropOrphans(
  search: Search,
  orphans: readonly Orphan[],
  ownership: Ownership,
): AsyncGenerator<Dropped> {
  for (const orphan of orphans) {
    yield { username: orphan.username, kept: await whyKept(search, orphan, ownership) }
  }
}

async function whyKept(search: Search, orphan: Orphan, ownership: Ownership): Promise<string | undefined> {
  if (orphan.owns.length > 0 && ownership === undefined)
    return `it owns ${orphan.owns.join(', ')}: say --reassign-to or --drop-owned`
  try {
    if (!(await isStillOrphan(search, orphan))) return 'a lease has come for it'
    await search.users.drop(orphan.username, ownership)
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

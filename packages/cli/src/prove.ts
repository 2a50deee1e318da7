import type { Credential } from '@vault-lease/core'
import { notProven, type Proof } from '@vault-lease/core/adapter'
import type { Database } from './database/database.ts'

/** Logs in with a credential, where it is known which database it is for. */
export async function prove(
  database: Database | undefined,
  credential: Credential,
  signal: AbortSignal,
): Promise<Proof> {
  if (!database) return 'accepted'
  try {
    await database.kind.logIn(database.urlFor(credential), signal)
    return 'accepted'
  } catch (error) {
    const how = database.kind.isRefusal(error) ? 'refused' : 'unreachable'
    throw notProven(credential, database.place, error, how)
  }
}

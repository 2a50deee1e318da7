import type { Credential, LeaseManager } from '@vault-lease/core'
import { attach, type PoolAttachment } from '@vault-lease/core/adapter'
import type { Database } from '../database/database.ts'
import { prove } from '../prove.ts'

/** A part in a lease that has no connections: its credential was tried, where it is known at which database. */
export function attachOnce(lease: LeaseManager, database: Database | undefined): PoolAttachment {
  return attach(lease, {
    place: database?.place ?? 'the command line',
    prove: (credential: Credential, signal: AbortSignal) => prove(database, credential, signal),
    retire: async () => ({ closed: 0, forced: 0 }),
  })
}

import type { DatabaseServer } from '../database-server.ts'
import { mysql } from './mysql.ts'
import { postgresql } from './postgresql.ts'

/** What differs between database servers for Vault's database engine, and for those who look on. */
export interface Dialect {
  readonly plugin: string
  connectionUrl(server: DatabaseServer): string
  /** Tables that record the drops. */
  readonly setUp: readonly string[]
  creationStatements(database: string): string[]
  /** They also count the sessions of the user that are open at that moment. */
  readonly revocationStatements: readonly string[]
  /** The dynamic users, as `name`. */
  readonly users: string
  /** What was dropped, as `username`, `openSessions` and `at` (ms). */
  readonly drops: string
  /** Sessions by user, as `name` and `sessions`, of the users that match one pattern. */
  readonly sessions: string
}

const dialects: Readonly<Record<DatabaseServer['kind'], Dialect>> = { postgresql, mysql }

export function dialectOf({ kind }: DatabaseServer): Dialect {
  return dialects[kind]
}

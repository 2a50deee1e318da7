import type { Connection, SuperuserSession } from '../database-server.ts'
import type { DropCounter } from '../drops.ts'
import type { VaultApi } from '../vault-api.ts'

/** What differs between database servers for Vault's database engine, and for those who look on. */
export interface Dialect {
  readonly plugin: string
  /** How Vault names its users, as a pattern of SQL's LIKE. */
  readonly dynamicUsers: string
  /** Gives the plugin to a Vault that has it not built in. */
  provide?(vault: VaultApi): Promise<void>
  countDrops(server: Connection): Promise<DropCounter>
  creationStatements(database: string): string[]
  readonly revocationStatements: readonly string[]
  /** The dynamic users. */
  users(server: Connection): Promise<string[]>
  /** How many sessions each user has whose name matches the pattern of SQL's LIKE. */
  sessions(session: SuperuserSession, users: string): Promise<UserSessions[]>
}

export interface UserSessions {
  readonly name: string
  readonly sessions: number
}

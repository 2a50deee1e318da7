import type { Drop } from '../database-engine.ts'
import type { Connection, DatabaseServer, SuperuserSession } from '../database-server.ts'
import type { VaultApi } from '../vault-api.ts'
import { mongodb } from './mongodb.ts'
import { mysql } from './mysql.ts'
import { postgresql } from './postgresql.ts'

/** What differs between database servers for Vault's database engine, and for those who look on. */
export interface Dialect {
  readonly plugin: string
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

/** Has the sessions of each user counted that are open when the user is dropped. */
export interface DropCounter {
  /** Where Vault has to connect for this. */
  readonly connectionUrl: string
  drops(): Promise<Drop[]>
  close(): Promise<void>
}

export interface UserSessions {
  readonly name: string
  readonly sessions: number
}

const dialects: Readonly<Record<DatabaseServer['kind'], Dialect>> = { postgresql, mysql, mongodb }

export function dialectOf({ kind }: Connection): Dialect {
  return dialects[kind]
}

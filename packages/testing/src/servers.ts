import { type DatabaseEngine, databaseEngine } from './database-engine.ts'
import type { DatabaseServer, DatabaseServerOptions } from './database-server.ts'
import { startMariaDb } from './mariadb.ts'
import { startMongo } from './mongo/server.ts'
import { startPostgres } from './postgres.ts'
import { startRedis } from './redis/server.ts'
import { startVault, type VaultServer, type VaultServerOptions } from './vault-server.ts'

/** A Vault whose database engine makes users of a database server, and that server. */
export interface Servers<Kind extends DatabaseServer['kind'] = DatabaseServer['kind']>
  extends AsyncDisposable {
  readonly vault: VaultServer
  readonly database: DatabaseServer & { readonly kind: Kind }
  readonly engine: DatabaseEngine
  /** Ends both. Stopping twice is stopping once. */
  stop(): Promise<void>
}

/** Which servers, and how they are started. */
export interface ServersOptions<Kind extends DatabaseServer['kind'] = DatabaseServer['kind']> {
  readonly kind: Kind
  readonly vault?: VaultServerOptions
  readonly database?: DatabaseServerOptions
  /** Statements of the superuser, run before the engine is made. */
  readonly schema?: readonly string[]
}

const starts = { postgresql: startPostgres, mysql: startMariaDb, mongodb: startMongo, redis: startRedis }

/**
 * Starts a Vault and a database server, and connects them.
 *
 * @throws ServerUnavailableError when one of them is not to be had.
 */
export async function startServers<Kind extends DatabaseServer['kind']>(
  options: ServersOptions<Kind>,
): Promise<Servers<Kind>> {
  const { kind } = options
  const [vault, started] = await Promise.all([startVault(options.vault), starts[kind](options.database)])
  const database = { ...started, kind }
  for (const statement of options.schema ?? []) await database.query(statement)
  const engine = await databaseEngine(vault, database)
  const stop = async (): Promise<void> => {
    await Promise.all([vault.stop(), database.stop(), engine.close()])
  }
  return { vault, database, engine, stop, [Symbol.asyncDispose]: stop }
}

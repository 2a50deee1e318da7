export {
  type DatabaseEngine,
  type Drop,
  databaseEngine,
  type RoleOptions,
  type TokenOptions,
} from './database-engine.ts'
export type { DatabaseServer, DatabaseServerOptions, SuperuserSession } from './database-server.ts'
export {
  type HammerBucket,
  type HammerOptions,
  type HammerReport,
  type HammerResult,
  type HammerServerReport,
  type HammerTarget,
  hammer,
} from './hammer.ts'
export { startMariaDb } from './mariadb.ts'
export { startMongo } from './mongo/server.ts'
export { startPostgres } from './postgres.ts'
export { ServerUnavailableError } from './server-unavailable.ts'
export { type Servers, type ServersOptions, startServers } from './servers.ts'
export {
  type SessionReport,
  type SessionSample,
  type SessionWatch,
  type SessionWatchOptions,
  watchSessions,
} from './session-watch.ts'
export { startVault, type VaultReply, type VaultServer, type VaultServerOptions } from './vault-server.ts'

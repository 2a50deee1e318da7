export {
  type DatabaseEngine,
  databaseEngine,
  type RoleOptions,
  type StaticRoleOptions,
  type TokenOptions,
} from './database-engine.ts'
export type {
  Connection,
  DatabaseServer,
  DatabaseServerOptions,
  SuperuserSession,
} from './database-server.ts'
export type { Drop } from './drops.ts'
export { type Fault, type FaultProxy, httpAnswer, openFaultProxy, type Target } from './fault-proxy.ts'
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
export { type PgBouncer, startPgBouncer } from './pgbouncer.ts'
export { startPostgres } from './postgres.ts'
export { type PostgresPair, startPostgresPair } from './postgres-pair.ts'
export { type Prometheus, type PrometheusSample, promtool, startPrometheus } from './prometheus.ts'
export { startRedis } from './redis/server.ts'
export { ServerUnavailableError } from './server-unavailable.ts'
export { type Servers, type ServersOptions, startServers } from './servers.ts'
export {
  type SessionReport,
  type SessionSample,
  type SessionWatch,
  type SessionWatchOptions,
  watchSessions,
} from './session-watch.ts'
export {
  type AgentLogin,
  type AgentOptions,
  type AgentTemplate,
  startVaultAgent,
  type VaultAgent,
} from './vault-agent.ts'
export type { VaultApi, VaultReply } from './vault-api.ts'
export { startVaultCluster, type VaultCluster, type VaultClusterOptions } from './vault-cluster.ts'
export { startVault, type VaultServer, type VaultServerOptions } from './vault-server.ts'

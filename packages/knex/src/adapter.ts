// For the packages over a knex, which may have drivers of their own.
export type { KnexConnections, KnexDialect } from './dialect.ts'
export { dialects } from './dialects.ts'
export type { KnexConnection } from './knex-client.ts'
export { leasedConnection } from './leased-connection.ts'

import type { ClientClass, PgClient } from '@vault-lease/pg/adapter'

/** The pool inside a knex client, as far as it is needed here: tarn's. */
interface TarnPool {
  readonly max: number
  readonly acquireTimeoutMillis: number
  readonly createTimeoutMillis: number
  numFree(): number
  numPendingAcquires(): number
}

/** The client inside a knex that speaks PostgreSQL. Knex 3 declares these members, but types them as `any`. */
export interface KnexPgClient {
  readonly driverName: 'pg'
  driver: { readonly Client: ClientClass }
  readonly pool: TarnPool | undefined
  acquireRawConnection(): Promise<KnexPgConnection>
  validateConnection(connection: KnexPgConnection): boolean | Promise<boolean>
  acquireConnection(): Promise<KnexPgConnection>
  releaseConnection(connection: KnexPgConnection): Promise<void>
  cancelQuery(connection: KnexPgConnection): Promise<unknown>
  runner(builder: unknown): KnexRunner
  destroy(callback?: (error?: unknown) => void): Promise<void>
}

/** What knex makes to run one query. */
export interface KnexRunner {
  client: Pick<KnexPgClient, 'releaseConnection'>
  stream(...args: unknown[]): unknown
}

/** A connection in knex's pool; knex marks it when it has ended. */
export type KnexPgConnection = PgClient & { __knex__disposed?: unknown }

const methods = [
  'acquireRawConnection',
  'validateConnection',
  'acquireConnection',
  'releaseConnection',
  'cancelQuery',
  'runner',
  'destroy',
] as const

/** Whether this is a knex 3 client on node-postgres that can be rotated. */
export function isKnexPgClient(candidate: unknown): candidate is KnexPgClient {
  if (typeof candidate !== 'object' || candidate === null) return false
  const client: Partial<KnexPgClient> = candidate
  const hasMethods = methods.every((method) => typeof client[method] === 'function')
  return hasMethods && client.driverName === 'pg' && typeof client.driver?.Client === 'function'
}

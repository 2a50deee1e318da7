import { isTarnPool, type TarnPool } from './tarn-pool.ts'

/** The client inside a knex. Knex 3 declares these members, but types them as `any`. */
export interface KnexClient {
  readonly driverName: string
  driver: object
  readonly pool: TarnPool<KnexConnection> | undefined
  acquireRawConnection(): Promise<KnexConnection>
  validateConnection(connection: KnexConnection): boolean | Promise<boolean>
  acquireConnection(): Promise<KnexConnection>
  releaseConnection(connection?: KnexConnection): Promise<void>
  cancelQuery(connection: KnexConnection): Promise<unknown>
  runner(builder: unknown): KnexRunner
  destroy(callback?: (error?: unknown) => void): Promise<void>
}

/** What knex makes to run one query. */
export interface KnexRunner {
  client: Pick<KnexClient, 'releaseConnection'>
  stream(...args: unknown[]): unknown
}

/** A connection in knex's pool; knex marks it when it has ended. */
export interface KnexConnection {
  __knex__disposed?: unknown
}

const methods = [
  'acquireRawConnection',
  'validateConnection',
  'acquireConnection',
  'releaseConnection',
  'cancelQuery',
  'runner',
  'destroy',
] as const

/** Whether this is a knex 3 client that can be rotated. */
export function isKnexClient(candidate: unknown): candidate is KnexClient {
  if (typeof candidate !== 'object' || candidate === null) return false
  const client: Partial<KnexClient> = candidate
  const hasMethods = methods.every((method) => typeof client[method] === 'function')
  const hasDriver = typeof client.driverName === 'string' && typeof client.driver === 'object'
  return hasMethods && hasDriver && (client.pool === undefined || isTarnPool(client.pool))
}

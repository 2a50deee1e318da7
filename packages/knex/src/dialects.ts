import type { KnexDialect } from './dialect.ts'
import { mysql2Dialect } from './dialect-mysql2.ts'
import { pgDialect } from './dialect-pg.ts'

/** The drivers of knex that can be rotated, by the names that its clients have for them. */
export const dialects: Readonly<Record<string, KnexDialect>> = { pg: pgDialect, mysql2: mysql2Dialect }

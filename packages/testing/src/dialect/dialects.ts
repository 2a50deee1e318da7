import type { Connection, DatabaseServer } from '../database-server.ts'
import type { Dialect } from './dialect.ts'
import { mongodb } from './mongodb.ts'
import { mysql } from './mysql.ts'
import { postgresql } from './postgresql.ts'
import { redis } from './redis.ts'

const dialects: Readonly<Record<DatabaseServer['kind'], Dialect>> = { postgresql, mysql, mongodb, redis }

export function dialectOf({ kind }: Connection): Dialect {
  return dialects[kind]
}

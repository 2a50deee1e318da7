import { fileURLToPath } from 'node:url'
import type { VaultMySqlOptions } from '@vault-lease/typeorm'
import { User } from './user.ts'

const { DB_HOST: host = 'localhost', DB_PORT: port = '3306', DB_NAME: database = 'app' } = process.env

/** What the service and the migrations have in common. */
export const options: VaultMySqlOptions = {
  type: 'mysql',
  host,
  port: Number(port),
  database,
  entities: [User],
  migrations: [fileURLToPath(new URL('../migrations/*.ts', import.meta.url))],
  poolSize: 10,
}

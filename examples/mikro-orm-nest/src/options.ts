import { fileURLToPath } from 'node:url'
import { Migrator } from '@mikro-orm/migrations'
import { PostgreSqlDriver } from '@mikro-orm/postgresql'
import type { VaultMikroOrmOptions } from '@vault-lease/mikro-orm'
import { User } from './user.ts'
import { vault } from './vault.ts'

const { PGHOST: host = 'localhost', PGPORT: port = '5432', PGDATABASE: dbName = 'app' } = process.env

/** What the service and the migrations have in common. */
export const options: VaultMikroOrmOptions<PostgreSqlDriver> = {
  driver: PostgreSqlDriver,
  vault: vault(),
  host,
  port: Number(port),
  dbName,
  entities: [User],
  pool: { max: 10 },
  extensions: [Migrator],
  migrations: { path: fileURLToPath(new URL('../migrations', import.meta.url)), snapshot: false },
}

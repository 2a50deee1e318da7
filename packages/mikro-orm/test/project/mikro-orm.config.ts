import { fileURLToPath } from 'node:url'
import { Migrator } from '@mikro-orm/migrations'
import { PostgreSqlDriver } from '@mikro-orm/postgresql'
import { vaultMikroOrm } from '@vault-lease/mikro-orm'
import { Books } from './books.ts'

const { PGHOST: host = '127.0.0.1', PGPORT: port = '5432', PGDATABASE: dbName = 'app' } = process.env

/** Everything of Vault comes from the environment. */
export default vaultMikroOrm({
  driver: PostgreSqlDriver,
  host,
  port: Number(port),
  dbName,
  entities: [Books],
  extensions: [Migrator],
  migrations: { path: fileURLToPath(new URL('./migrations', import.meta.url)), snapshot: false },
})

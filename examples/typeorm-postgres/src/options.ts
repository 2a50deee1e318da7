import { fileURLToPath } from 'node:url'
import type { VaultDataSourceOptions } from '@vault-lease/typeorm'
import { Users } from './user.ts'

/** What the service and the migrations have in common. The place comes from PGHOST, PGPORT and PGDATABASE. */
export const options: VaultDataSourceOptions = {
  type: 'postgres',
  entities: [Users],
  migrations: [fileURLToPath(new URL('../migrations/*.ts', import.meta.url))],
  poolSize: 10,
}

import type { Knex } from 'knex'
import { vaultConnection } from '../../src/index.ts'

const config: Knex.Config = {
  client: 'pg',
  connection: vaultConnection(),
  migrations: { directory: 'migrations', extension: 'ts' },
  seeds: { directory: 'seeds' },
}

export default config

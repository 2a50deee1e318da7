import { fileURLToPath } from 'node:url'
import { vaultConnection } from '@vault-lease/knex'
import type { Knex } from 'knex'
import { vault } from './src/vault.ts'

/** For migrations, with VAULT_DB_ROLE naming a role whose users act as the owner of the tables (setup/app-migrate.sql). */
const config: Knex.Config = {
  client: 'pg',
  connection: vaultConnection({ vault: vault() }),
  migrations: { directory: fileURLToPath(new URL('migrations', import.meta.url)), extension: 'ts' },
}

export default config

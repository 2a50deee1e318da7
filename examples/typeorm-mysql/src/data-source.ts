import { vaultDataSource } from '@vault-lease/typeorm'
import { DataSource } from 'typeorm'
import { options } from './options.ts'
import { vault } from './vault.ts'

/** For migrations, with VAULT_DB_ROLE naming a role whose users may make tables (setup/app-migrate.sql). */
export default new DataSource(vaultDataSource({ ...options, vault: vault() }))

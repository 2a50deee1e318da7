import { vaultMikroOrm } from '@vault-lease/mikro-orm'
import { options } from './options.ts'

/** For migrations, with VAULT_DB_ROLE naming a role whose users act as the owner of the tables (setup/app-migrate.sql). */
export default vaultMikroOrm(options)

import { vaultSequelize } from '@vault-lease/sequelize'
import { Sequelize } from 'sequelize'
import { options } from './options.ts'
import { defineUser } from './user.ts'
import { vault } from './vault.ts'

/** With VAULT_DB_ROLE naming a role whose users act as the owner of the tables (setup/app-migrate.sql). */
const sequelize = new Sequelize(vaultSequelize({ ...options, vault: vault() }))
defineUser(sequelize)
try {
  await sequelize.sync()
} finally {
  await sequelize.close()
}

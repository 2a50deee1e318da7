import type { VaultSequelizeOptions } from '@vault-lease/sequelize'

const { PGHOST: host = 'localhost', PGPORT: port = '5432', PGDATABASE: database = 'app' } = process.env

/** What the service and the migration have in common. */
export const options = {
  dialect: 'postgres',
  host,
  port: Number(port),
  database,
  pool: { max: 10 },
  logging: false,
} as const satisfies VaultSequelizeOptions

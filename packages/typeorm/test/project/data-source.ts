import { DataSource } from 'typeorm'
import { vaultDataSource } from '../../src/index.ts'

export default new DataSource(vaultDataSource({ type: 'postgres', migrations: ['migrations/*.ts'] }))

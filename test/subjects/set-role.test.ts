import { vaultConnection } from '@vault-lease/knex'
import { vaultAdapter, vaultDatabaseUrl } from '@vault-lease/prisma'
import { vaultSequelize } from '@vault-lease/sequelize'
import { vaultDataSource } from '@vault-lease/typeorm'
import knex from 'knex'
import pg from 'pg'
import { Sequelize } from 'sequelize'
import { DataSource } from 'typeorm'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type LeasedServers, startLeasedServers } from '../leased-servers.ts'

const setRole = 'app_owner'
const who = 'select current_user as name'

describe('setRole of the adapters of PostgreSQL', () => {
  let servers: LeasedServers

  beforeAll(async () => {
    servers = await startLeasedServers({
      kind: 'postgresql',
      schema: [`create role ${setRole} nologin`, `grant create, usage on schema public to ${setRole}`],
    })
    const creationStatements = [
      `create role "{{name}}" login password '{{password}}' valid until '{{expiration}}' in role ${setRole}`,
    ]
    await servers.engine.role('owning', { ttl: '60s', maxTtl: '10m', creationStatements })
  })
  afterAll(() => servers?.[Symbol.asyncDispose]())
  afterEach(() => servers.endAll())

  const from = async () => ({
    vault: await servers.vaultOptions(),
    role: 'owning',
    setRole,
    ...servers.place,
  })

  it('knex', async () => {
    const db = knex({ client: 'pg', connection: vaultConnection(await from()) })
    servers.closing(db, () => db.destroy())
    await db.schema.createTable('by_knex', (table) => table.integer('id'))
    expect((await db.raw(who)).rows).toEqual([{ name: setRole }])
    await expectOwned('by_knex')
  })

  it('TypeORM, also its replicas', async () => {
    const { host, port, database, ...lease } = await from()
    const place = { host, port, database }
    for (const where of [place, { replication: { master: place, slaves: [place] } }]) {
      const dataSource = new DataSource(vaultDataSource({ type: 'postgres', ...lease, ...where }))
      servers.closing(dataSource, () => dataSource.destroy())
      await dataSource.initialize()
      for (const mode of ['master', 'slave'] as const) {
        const runner = dataSource.createQueryRunner(mode)
        expect(await runner.query(who)).toEqual([{ name: setRole }])
        await runner.release()
      }
    }
  })

  it('Sequelize, also its replicas', async () => {
    const { host, port, database, ...lease } = await from()
    const place = { host, port, database }
    for (const where of [place, { replication: { write: place, read: [place] } }]) {
      const db = new Sequelize(vaultSequelize({ dialect: 'postgres', logging: false, ...lease, ...where }))
      servers.closing(db, () => db.close())
      for (const useMaster of [true, false])
        expect(await db.query(who, { type: 'SELECT', useMaster })).toEqual([{ name: setRole }])
    }
  })

  it('Prisma', async () => {
    const adapter = await vaultAdapter({ provider: 'postgresql', ...(await from()) }).connect()
    servers.closing(adapter, () => adapter.dispose())
    const { rows } = await adapter.queryRaw({ sql: who, args: [], argTypes: [] })
    expect(rows).toEqual([[setRole]])
  })

  it('the URL for the command line of Prisma', async () => {
    const { vault, role, ...place } = await from()
    const lease = await servers.lease({ vault, role })
    const client = new pg.Client({
      connectionString: await vaultDatabaseUrl({ provider: 'postgresql', lease, ...place }),
    })
    await client.connect()
    const { rows } = await client.query(who)
    await client.end()
    expect(rows).toEqual([{ name: setRole }])
  })

  it('is refused where the database is another one', async () => {
    const { vault, role } = await from()
    const where = { vault, role, setRole }
    expect(() => vaultDataSource({ type: 'mysql', ...where } as never)).toThrow('setRole')
    expect(() => vaultAdapter({ provider: 'mysql', ...where } as never)).toThrow('setRole')
    await expect(vaultDatabaseUrl({ provider: 'mysql', database: 'app', ...where })).rejects.toThrow(
      'setRole',
    )
    const db = knex({ client: 'mysql2', connection: vaultConnection(where) })
    await expect(db.raw('select 1')).rejects.toThrow('setRole')
    await db.destroy()
  })

  async function expectOwned(table: string): Promise<void> {
    const owner = await servers.database.query(
      `select tableowner as name from pg_tables where tablename = $1`,
      [table],
    )
    expect(owner).toEqual([{ name: setRole }])
  }
})

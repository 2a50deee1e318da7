import { healthOf } from '@vault-lease/core'
import { DataTypes, type Options, QueryTypes, Sequelize } from 'sequelize'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import type { VaultSequelizeOptions } from '../src/options.ts'
import type { SequelizePool } from '../src/sequelize-pool.ts'
import { vaultSequelize } from '../src/vault-sequelize.ts'
import { dialectNames, type Servers, startServers, userExpressions } from './servers.ts'

interface Manager {
  readonly pool: SequelizePool
  getConnection(options: object): Promise<object>
}

/** What Sequelize types as little as possible. */
function managerOf({ connectionManager }: Sequelize): Manager {
  return connectionManager as unknown as Manager
}

describe.each(dialectNames)('a Sequelize on vaultSequelize(), with %s', (dialect) => {
  let servers: Servers
  beforeAll(async () => {
    servers = await startServers(dialect)
  })
  afterEach(() => servers.endAll())
  afterAll(() => servers?.stop())

  const userOf = async (db: Sequelize): Promise<string> => {
    const [row] = await db.query<{ who: string }>(`select ${userExpressions[dialect]} as who`, {
      type: QueryTypes.SELECT,
    })
    return row?.who ?? ''
  }
  const own = async (): Promise<VaultSequelizeOptions> => ({
    vault: await servers.vaultOptions(),
    role: servers.role,
    logging: false,
  })
  const url = (login = ''): string => {
    const { host, port, database } = servers.place
    return `${dialect}://${login}${host}:${port}/${database}`
  }

  it('works by its one line, and close() leaves nothing', async () => {
    const db = servers.open(vaultSequelize({ dialect, ...servers.place, ...(await own()) }))
    expect(await userOf(db)).toMatch(/^v-token-app-/)
    await Promise.all([db.close(), db.close()])
    await db.close()
    expect(await servers.engine.users()).toEqual([])
    await expect(db.authenticate()).rejects.toThrow('after the connection manager was closed')
  })

  it('has one user for its version probe and its first queries', async () => {
    const db = servers.open(vaultSequelize({ dialect, ...servers.place, ...(await own()) }))
    const names = await Promise.all([userOf(db), userOf(db), userOf(db)])
    expect(new Set(names).size).toBe(1)
    expect(await servers.engine.users()).toHaveLength(1)
    await db.close()
  })

  it.each(['', '@', ':@'])(
    'takes the place from a URL, whose empty login "%s" means nothing',
    async (login) => {
      const db = new Sequelize(url(login), vaultSequelize(await own()))
      expect(await userOf(db)).toMatch(/^v-token-app-/)
      await db.close()
    },
  )

  it.each(['app:@', 'app:secret@', 'app@'])('refuses a URL with the login "%s"', async (login) => {
    const db = new Sequelize(url(login), vaultSequelize(await own()))
    await expect(db.authenticate()).rejects.toMatchObject({
      code: 'ERR_INVALID_OPTION',
      message: expect.stringMatching(/Leave out "username", also in a URL/),
    })
    await db.close()
  })

  if (dialect !== 'postgres')
    it('refuses setRole when the URL names a database without it', async () => {
      const db = new Sequelize(url(), vaultSequelize({ ...(await own()), setRole: 'owner' }))
      await expect(db.authenticate()).rejects.toThrow('"setRole" is for "postgres"')
      await db.close()
    })

  it('opens nothing when it is closed before its first connection', async () => {
    const options = await own()
    const db = new Sequelize(vaultSequelize({ dialect, ...servers.place, ...options }))
    const late = db.authenticate()
    const closed = db.close()
    await Promise.allSettled([late])
    await closed
    expect(await servers.engine.users()).toEqual([])
  })

  it('keeps hooks, validate and models of the caller', async () => {
    const heard: string[] = []
    const refused = new Set<unknown>()
    const { db, lease } = await servers.sequelize({
      pool: { max: 1, validate: (connection: unknown) => !refused.has(connection) } as Options['pool'] &
        object,
      hooks: {
        beforeConnect: () => void heard.push('beforeConnect'),
        afterConnect: () => void heard.push('afterConnect'),
      },
    })
    const Item = db.define('items', { name: DataTypes.STRING }, { timestamps: false })
    await Item.create({ name: 'kept' })
    expect(await Item.count()).toBe(1)
    await Item.destroy({ where: {} })
    // One for the version, one for the queries.
    expect(heard).toEqual(['beforeConnect', 'afterConnect', 'beforeConnect', 'afterConnect'])
    const connection = await db.connectionManager.getConnection({ type: 'SELECT' } as never)
    db.connectionManager.releaseConnection(connection)
    refused.add(connection)
    await userOf(db)
    expect(heard).toHaveLength(6)
    await lease.rotate()
    expect(await userOf(db)).toBe(lease.current?.username)
  })

  it('has no place for another connection until the server has closed one', async () => {
    const { db } = await servers.sequelize({ pool: { max: 1 } })
    const { pool, getConnection } = managerOf(db)
    const connection = await getConnection.call(db.connectionManager, { type: 'SELECT' })
    const destroyed = pool.destroy(connection)
    expect(pool._count).toBe(1)
    const next = userOf(db)
    await destroyed
    expect(pool._count).toBe(0)
    expect(await next).toMatch(/^v-/)
  })

  it('runs managed and unmanaged transactions across a rotation, and rolls back', async () => {
    const { db, lease } = await servers.sequelize()
    const Item = db.define('items', { name: DataTypes.STRING }, { timestamps: false })
    await db.transaction(async (transaction) => {
      await Item.create({ name: 'kept' }, { transaction })
      await lease.rotate()
      await Item.create({ name: 'kept too' }, { transaction })
    })
    const unmanaged = await db.transaction()
    await Item.create({ name: 'dropped' }, { transaction: unmanaged })
    await lease.rotate()
    await unmanaged.rollback()
    expect(await Item.count()).toBe(2)
    await Item.destroy({ where: {} })
  })

  it('serves what is queued when it closes in the midst of its first connection', async () => {
    let begin = (): void => {}
    const begun = new Promise<void>((resolve) => {
      begin = resolve
    })
    const { db } = await servers.sequelize({ pool: { max: 2 }, hooks: { beforeConnect: () => begin() } })
    const burst = Promise.all(Array.from({ length: 8 }, () => userOf(db)))
    await begun
    await db.close()
    expect(new Set(await burst).size).toBe(1)
  })

  it('waits for who holds a connection when it closes', async () => {
    const db = servers.open(vaultSequelize({ dialect, ...servers.place, ...(await own()) }))
    const transaction = await db.transaction()
    const closing = db.close()
    await db.query('select 1', { type: QueryTypes.SELECT, transaction })
    await transaction.commit()
    await closing
    expect(await servers.engine.users()).toEqual([])
  })

  // Of the others Sequelize hears by itself.
  if (dialect === 'mysql')
    it('closes in bounded time under who never gives a connection back', async () => {
      const db = servers.open(vaultSequelize({ dialect, ...servers.place, ...(await own()) }))
      const transaction = await db.transaction()
      const began = performance.now()
      await db.close()
      expect(performance.now() - began).toBeLessThan(15_000)
      expect(await servers.engine.users()).toEqual([])
      await expect(db.query('select 1', { type: QueryTypes.SELECT, transaction })).rejects.toMatchObject({
        code: 'ERR_LEASE_CLOSED',
      })
    })

  it('rotates once and connects again when the database refuses the user', async () => {
    const { db, lease } = await servers.sequelize()
    await lease.ready()
    const user = lease.status().username
    await servers.database.query(
      dialect === 'postgres'
        ? `alter role "${user}" password 'changed behind the back'`
        : `alter user '${user}'@'%' identified by 'changed behind the back'`,
    )
    await Promise.all(Array.from({ length: 10 }, () => userOf(db)))
    expect(lease.status().generation).toBe(2)
  })

  it('says that there is no credential, not that it is full, while Vault does not answer', async () => {
    const { db } = await servers.sequelize({ pool: { max: 2, acquire: 2_000 } })
    servers.vault.pause()
    const reasons = await Promise.allSettled(Array.from({ length: 8 }, () => userOf(db)))
    servers.vault.resume()
    expect(reasons).toEqual(
      reasons.map(() => ({
        status: 'rejected',
        reason: expect.objectContaining({ code: 'ERR_CREDENTIALS_UNAVAILABLE' }),
      })),
    )
    await userOf(db)
  })

  it('leads healthOf() to its lease', async () => {
    const { db } = await servers.sequelize()
    expect(healthOf(db).ready).toBe(false)
    await userOf(db)
    expect(healthOf(db).ready).toBe(true)
  })

  it('replaces a connection that the server has closed', async () => {
    const { db, lease } = await servers.sequelize({ pool: { max: 1 } })
    await userOf(db)
    await servers.database.query(
      dialect === 'postgres'
        ? `select pg_terminate_backend(pid) from pg_stat_activity where usename like 'v-%'`
        : `kill user '${lease.current?.username}'`,
    )
    await vi.waitFor(() => userOf(db))
    expect(lease.status().generation).toBe(1)
  })
})

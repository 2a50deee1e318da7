import { createLease, type LeaseManager, token } from '@vault-lease/core'
import { type Servers, startServers } from '@vault-lease/testing'
import knex, { type Knex } from 'knex'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { vaultConnection } from '../src/index.ts'

describe('a knex with client mysql2 on a vaultConnection()', () => {
  let servers: Servers
  let place: { host: string; port: number; database: string }
  const opened: { db: Knex; lease: LeaseManager }[] = []
  const unhandled: unknown[] = []
  beforeAll(async () => {
    process.on('unhandledRejection', (reason) => unhandled.push(reason))
    servers = await startServers({
      kind: 'mysql',
      schema: ['create table items (id int primary key auto_increment, name varchar(40))'],
    })
    await servers.engine.role('app', { ttl: '60s', maxTtl: '10m' })
    const { host, port, database } = servers.database
    place = { host, port, database }
  })
  afterEach(async () => {
    for (const { db, lease } of opened.splice(0)) {
      await db.destroy()
      await lease.close()
    }
    expect(await servers.engine.users()).toEqual([])
  })
  afterAll(async () => {
    await servers?.stop()
    expect(unhandled).toEqual([])
  })

  const access = async () => ({
    address: servers.vault.address,
    auth: token(await servers.engine.createToken()),
  })
  async function open(config: Knex.Config = {}): Promise<{ db: Knex; lease: LeaseManager }> {
    const lease = createLease({ vault: await access(), role: 'app' })
    const connection = vaultConnection({ lease, ...place })
    const quiet = { log: { warn() {}, error() {} } }
    const db = knex({ client: 'mysql2', connection, pool: { min: 0, max: 3 }, ...quiet, ...config })
    opened.push({ db, lease })
    return { db, lease }
  }
  const userOf = async (db: Knex): Promise<string> => {
    const [[{ user }]] = await db.raw(`select substring_index(session_user(), '@', 1) as user`)
    return user
  }

  it('belongs to the user in force, before and after a rotation', async () => {
    const { db, lease } = await open()
    expect(await userOf(db)).toBe(lease.current?.username)
    const [id] = await db('items').insert({ name: 'one' })
    await lease.rotate()
    expect(await userOf(db)).toBe(lease.current?.username)
    expect(await db('items').where({ id })).toEqual([{ id, name: 'one' }])
  })

  it('cancels a statement of a connection that belongs to an old user', async () => {
    const { db, lease } = await open()
    await db.raw('select 1')
    const sleeping = db.raw('select sleep(60)').timeout(500, { cancel: true })
    await Promise.all([
      lease.rotate(),
      expect(sleeping).rejects.toThrow('Defined query timeout of 500ms exceeded'),
    ])
    await vi.waitFor(async () => {
      const busy = await servers.database.query(
        `select 1 from information_schema.processlist where info like 'select sleep(60)%'`,
      )
      expect(busy).toEqual([])
    })
  })

  it('connects again with a new user when the server refuses the one in force', async () => {
    const { db, lease } = await open()
    const user = await userOf(db)
    await servers.database.query(`set password for '${user}'@'%' = password('changed behind the back')`)
    await servers.database.restart()
    await vi.waitFor(async () => expect(await userOf(db)).not.toBe(user), { timeout: 5_000 })
    expect(await userOf(db)).toBe(lease.current?.username)
  })

  it('destroys what it owns, and begins anew when it is initialised again', async () => {
    const db = knex({
      client: 'mysql2',
      connection: vaultConnection({ vault: await access(), role: 'app', ...place }),
    })
    const first = await userOf(db)
    await db.destroy()
    expect(await servers.engine.users()).toEqual([])
    db.initialize()
    expect(await userOf(db)).not.toBe(first)
    await db.destroy()
  })

  it('refuses a user in the URI at the first query', async () => {
    const connection = vaultConnection({ role: 'app', uri: 'mysql://me@db/app' })
    const db = knex({ client: 'mysql2', connection, log: { warn() {} } })
    await expect(db.select(1)).rejects.toThrow('Leave the user and the password out of "uri"')
    await db.destroy()
  })
})

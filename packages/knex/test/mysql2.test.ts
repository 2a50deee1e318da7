import knex, { type Knex } from 'knex'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { authority, localhost, type Pair } from '../../core/test/certificates.ts'
import { vaultConnection } from '../src/index.ts'
import { type Servers, startServers } from './servers.ts'

describe('a knex with client mysql2 on a vaultConnection()', () => {
  let servers: Servers
  let trusted: Pair
  beforeAll(async () => {
    trusted = await authority('trusted')
    servers = await startServers('mysql2', { tls: await localhost(trusted) })
  })
  afterEach(() => servers.endAll())
  afterAll(() => servers?.stop())

  const userOf = async (db: Knex): Promise<string> => {
    const [[{ user }]] = await db.raw(`select substring_index(session_user(), '@', 1) as user`)
    return user
  }

  it('belongs to the user in force, before and after a rotation', async () => {
    const { db, lease } = await servers.knex()
    expect(await userOf(db)).toBe(lease.current?.username)
    const [id] = await db('items').insert({ name: 'one' })
    await lease.rotate()
    expect(await userOf(db)).toBe(lease.current?.username)
    expect(await db('items').where({ id })).toEqual([{ id, name: 'one' }])
  })

  it('connects over TLS that is verified, and not at all when the certificate is not trusted', async () => {
    const { db, lease } = await servers.knex({}, { ssl: { ca: trusted.cert } })
    await userOf(db)
    await lease.rotate()
    const [[status]] = await db.raw(`show session status like 'Ssl_cipher'`)
    expect(status.Value).not.toBe('')
    const other = await servers.knex({}, { ssl: { ca: (await authority('other')).cert } })
    await expect(userOf(other.db)).rejects.toMatchObject({
      code: 'ERR_CREDENTIALS_UNAVAILABLE',
      message: expect.stringContaining('certificate'),
    })
  })

  it('cancels a statement of a connection that belongs to an old user', async () => {
    const { db, lease } = await servers.knex()
    await db.raw('select 1')
    const sleeping = db.raw('select sleep(60)').timeout(500, { cancel: true })
    await Promise.all([
      lease.rotate(),
      expect(sleeping).rejects.toThrow('Defined query timeout of 500ms exceeded'),
    ])
    await vi.waitFor(
      async () => {
        const busy = await servers.database.query(
          `select 1 from information_schema.processlist where info like 'select sleep(60)%'`,
        )
        expect(busy).toEqual([])
      },
      { timeout: 10_000 },
    )
  })

  it('connects again with a new user when the server refuses the one in force', async () => {
    const { db, lease } = await servers.knex()
    const user = await userOf(db)
    await servers.database.query(`set password for '${user}'@'%' = password('changed behind the back')`)
    await servers.database.restart()
    await vi.waitFor(async () => expect(await userOf(db)).not.toBe(user), { timeout: 5_000 })
    expect(await userOf(db)).toBe(lease.current?.username)
  })

  it('destroys what it owns, and begins anew when it is initialised again', async () => {
    const db = knex({
      client: 'mysql2',
      connection: vaultConnection({
        vault: await servers.vaultOptions(),
        role: servers.role,
        ...servers.place,
      }),
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

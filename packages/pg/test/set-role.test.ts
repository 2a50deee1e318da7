import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { optionsWithRole } from '../src/set-role.ts'
import { startForgetfulWay } from './forgetful-way.ts'
import { type Servers, startServers } from './servers.ts'

/** Spaces, quotes, a backslash and capitals. */
const odd = `App "Owner's" \\role`

describe('setRole', () => {
  let servers: Servers

  beforeAll(async () => {
    servers = await startServers()
    const { database, engine } = servers
    await database.query('create role app_owner nologin')
    await database.query('create role stranger nologin')
    await database.query(`create role "${odd.replaceAll('"', '""')}" nologin`)
    await database.query('grant create, usage on schema public to app_owner')
    const owners = `app_owner, "${odd.replaceAll('"', '""')}"`
    const creationStatements = [
      `create role "{{name}}" login password '{{password}}' valid until '{{expiration}}' in role ${owners}`,
    ]
    await engine.role('owning', { ttl: '60s', maxTtl: '10m', creationStatements })
  })
  afterAll(() => servers?.[Symbol.asyncDispose]())
  afterEach(() => servers.endAll())

  const pool = async (options: object = {}) =>
    await servers.pool({
      vault: await servers.vaultOptions(),
      role: 'owning',
      setRole: 'app_owner',
      ...options,
    })
  const who = 'select current_user as "current", session_user as "session"'

  it('has every connection work as the role, over rotations, and what it creates stays with the role', async () => {
    const owning = await pool()
    await owning.query('create table made (id int)')
    const { username } = owning.lease.status()
    for (let n = 0; n < 2; n++) {
      await owning.lease.rotate()
      const { rows } = await owning.query(who)
      expect(rows).toEqual([{ current: 'app_owner', session: owning.lease.status().username }])
      // While Vault takes rights away from the tables, PostgreSQL lets nobody else change them.
      await vi.waitFor(() => expect(owning.lease.status().retiring).toEqual([]), { timeout: 10_000 })
      await owning.query(`alter table made add column c${n} int`)
    }
    await vi.waitFor(async () => expect(await servers.engine.users()).not.toContain(username), {
      timeout: 10_000,
    })
    const owner = await servers.database.query(`select tableowner from pg_tables where tablename = 'made'`)
    expect(owner).toEqual([{ tableowner: 'app_owner' }])
  })

  it('comes back after RESET ROLE and DISCARD ALL, which SET ROLE would not', async () => {
    const owning = await pool({ max: 1 })
    for (const reset of ['reset role', 'discard all']) {
      await owning.query(reset)
      expect((await owning.query(who)).rows).toMatchObject([{ current: 'app_owner' }])
    }
  })

  it('goes along with options of the caller, and takes names of every kind', async () => {
    const { host, port, database } = servers.place
    const connectionString = `postgresql://${host}:${port}/${database}?options=-c%20statement_timeout%3D4321`
    for (const place of [{ options: '-c statement_timeout=4321' }, { connectionString }]) {
      const owning = await pool({ setRole: odd, ...place })
      expect((await owning.query(who)).rows).toMatchObject([{ current: odd }])
      expect((await owning.query('show statement_timeout')).rows).toEqual([{ statement_timeout: '4321ms' }])
    }
    expect(optionsWithRole(undefined, 'a b\\c')).toBe('-c role=a\\ b\\\\c')
  })

  it.each(['stranger', 'nobody'])(
    'that is not for the user (%s) is found by the proof, which says what to do',
    async (setRole) => {
      const owning = await pool({ setRole })
      await expect(owning.query('select 1')).rejects.toMatchObject({
        code: 'ERR_CREDENTIALS_UNAVAILABLE',
        cause: {
          name: 'CredentialNotProvenError',
          message: expect.stringContaining(`cannot work as the role "${setRole}"`),
        },
      })
      expect(owning.lease.status().lastError).toContain('IN ROLE')
    },
  )

  it.each(['', '  ', 5, 'none', 'NONE', 'app_owner\0user\0postgres'])('%j is no role', async (setRole) => {
    await expect(pool({ setRole })).rejects.toMatchObject({ code: 'ERR_INVALID_OPTION' })
  })

  it('that something on the way leaves out is found by the proof, for a table would belong to the user', async () => {
    await using way = await startForgetfulWay(servers.place)
    const owning = await pool({ host: way.host, port: way.port })
    await expect(owning.query('create table lost (id int)')).rejects.toMatchObject({
      code: 'ERR_CREDENTIALS_UNAVAILABLE',
      cause: {
        name: 'CredentialNotProvenError',
        message: expect.stringMatching(/"app_owner".*ignore_startup_parameters/),
      },
    })
    expect(await servers.database.query(`select 1 from pg_tables where tablename = 'lost'`)).toEqual([])
  })

  it('does not hide that an operator has revoked the user', async () => {
    const owning = await pool({ max: 1 })
    await owning.query(who)
    const { username } = owning.lease.status()
    await servers.engine.revokePrefix('owning')
    // The role stays, and so do the rights of open sessions: the user is missed when a new connection is opened.
    const client = await owning.connect()
    client.release(true)
    const { rows } = await owning.query(who)
    expect(rows).toMatchObject([{ current: 'app_owner' }])
    expect(owning.lease.status().username).not.toBe(username)
  })
})

import { openFaultProxy } from '@vault-lease/testing'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type Servers, startServers } from './servers.ts'

describe('the client that proves the first user of a VaultPool', () => {
  let servers: Servers
  beforeAll(async () => {
    servers = await startServers()
  })
  afterEach(() => servers.endAll())
  afterAll(() => servers?.stop())

  const sessions = async (): Promise<number> =>
    (await servers.database.query(`select 1 from pg_stat_activity where usename like 'v-%'`)).length

  it('is the one that the first query gets: one login, one event, every hook', async () => {
    const onConnect: unknown[] = []
    await using way = await openFaultProxy(servers.database)
    const pool = await servers.pool({
      host: way.host,
      port: way.port,
      onConnect: async (client) => void onConnect.push(client),
    })
    const connects: unknown[] = []
    pool.on('connect', (client) => {
      connects.push(client)
      void client.query(`set application_name to 'set-up'`)
    })
    const { rows } = await pool.query(
      `select pg_backend_pid() as pid, session_user as name, current_setting('application_name') as set`,
    )
    expect(rows).toMatchObject([{ name: pool.lease.status().username, set: 'set-up' }])
    expect(pool.totalCount).toBe(1)
    expect(connects).toHaveLength(1)
    expect(onConnect).toEqual(connects)
    expect(await sessions()).toBe(1)
    await pool.end()
    expect(way.accepted).toBe(1)
  })

  it('is closed when the pool ends before anybody has used it', async () => {
    const pool = await servers.pool()
    await pool.lease.ready()
    expect(pool.idleCount).toBe(1)
    await pool.end()
    expect(pool.totalCount).toBe(0)
    expect(await sessions()).toBe(0)
    expect(await servers.engine.users()).toEqual([])
  })

  it('is not in the pool when the user is refused, and the next user has one of its own', async () => {
    const pool = await servers.pool({ max: 1 })
    const restore = await refuseLogins()
    expect(await pool.query('select 1').catch((error) => error.code)).toBe('ERR_CREDENTIALS_UNAVAILABLE')
    expect(pool.totalCount).toBe(0)
    await restore()
    await pool.lease.ready({ timeoutMs: 10_000 })
    await pool.query('select 1')
    expect(await sessions()).toBe(1)
  })

  it('proves the user also where a hook of the caller’s fails, which is told to whoever connects', async () => {
    const pool = await servers.pool({
      onConnect: async () => {
        throw new Error('the hook')
      },
    })
    await pool.lease.ready()
    await expect(pool.query('select 1')).rejects.toThrow('the hook')
    expect(pool.lease.status().state).toBe('ready')
  })

  it('takes the only place of a pool, and is replaced by the one of the next user', async () => {
    const pool = await servers.pool({ max: 1 })
    await pool.lease.ready()
    await pool.lease.rotate()
    await pool.query('select 1')
    expect(pool.lease.status().generation).toBe(2)
    expect(await sessions()).toBe(1)
  })

  async function refuseLogins(): Promise<() => Promise<unknown>> {
    const { database } = servers.database
    await servers.database.query(`alter database ${database} connection limit 0`)
    return () => servers.database.query(`alter database ${database} connection limit -1`)
  }
})

import { once } from 'node:events'
import { openFaultProxy } from '@vault-lease/testing'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { ask, type Servers, startServers, userOf } from './servers.ts'

describe('the connection that proves the first user of a pool of mysql2', () => {
  let servers: Servers
  beforeAll(async () => {
    servers = await startServers()
  })
  afterEach(() => servers.endAll())
  afterAll(() => servers?.[Symbol.asyncDispose]())

  const sessions = async (): Promise<number> => {
    const like = `select count(*) as open from information_schema.processlist where user like 'v-%'`
    const [row] = await servers.database.query<{ open: number }>(like)
    return Number(row?.open)
  }

  it('is the one that the first query gets: one login, one event, and what was set up on it', async () => {
    await using way = await openFaultProxy(servers.database)
    const pool = await servers.pool({ host: way.host, port: way.port })
    const connections: unknown[] = []
    pool.on('connection', (connection) => {
      connections.push(connection)
      connection.query(`set @own = 'set up'`)
    })
    const [row] = await ask<{ own: string }>(pool, 'select @own as own')
    expect(way.accepted).toBe(1)
    expect(row?.own).toBe('set up')
    expect(connections).toHaveLength(1)
    expect(await userOf(pool)).toBe(pool.lease.status().username)
  })

  it('is closed when the pool ends before anybody has used it', async () => {
    const pool = await servers.pool()
    const opened = once(pool, 'connection')
    await pool.lease.ready()
    await opened
    expect(await sessions()).toBe(1)
    await pool.end()
    expect(await sessions()).toBe(0)
    expect(await servers.engine.users()).toEqual([])
  })

  it('takes the only place of a pool, and is replaced by the one of the next user', async () => {
    const pool = await servers.pool({ connectionLimit: 1 })
    await pool.lease.ready()
    await pool.lease.rotate()
    expect(await userOf(pool)).toBe(pool.lease.status().username)
    expect(pool.lease.status().generation).toBe(2)
    expect(await sessions()).toBe(1)
  })

  it.each([
    ['that resets connections', { resetOnRelease: true }],
    ['whose caller formats statements', { queryFormat: () => 'select 1 as user' }],
  ])('is one apart in a pool %s', async (_name, options) => {
    await using way = await openFaultProxy(servers.database)
    const pool = await servers.pool({ host: way.host, port: way.port, ...options })
    await ask(pool, 'select 1 as user')
    expect(way.accepted).toBe(2)
  })
})

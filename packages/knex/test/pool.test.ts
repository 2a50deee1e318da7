import { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { openFaultProxy, watchSessions } from '@vault-lease/testing'
import type { Knex } from 'knex'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { type Servers, startServers } from './servers.ts'

describe('the pool of a knex on a vaultConnection()', () => {
  let servers: Servers
  beforeAll(async () => {
    servers = await startServers()
  })
  afterEach(() => servers.endAll())
  afterAll(() => servers?.stop())

  const sessions = (): Promise<unknown[]> =>
    servers.database.query(`select 1 from pg_stat_activity where usename like 'v-%'`)
  const pidOf = async (db: Knex): Promise<number> => {
    const { rows } = await db.raw('select pg_backend_pid() as pid')
    return rows[0].pid
  }
  const slowly = (db: Knex): Promise<unknown> => db.raw('select pg_sleep(0.2)').then()

  it('closes what is idle down to min, and counts as ever', async () => {
    const { db } = await servers.knex({
      pool: { min: 1, max: 3, idleTimeoutMillis: 50, reapIntervalMillis: 20 },
    })
    await db.raw('select 1')
    const busy = Promise.all([slowly(db), slowly(db), slowly(db), slowly(db)])
    while (db.client.pool.numUsed() < 3) await sleep(1)
    expect(db.client.pool.numPendingAcquires()).toBe(1)
    await busy
    while ((await sessions()).length > 1) await sleep(20)
    expect(db.client.pool.numFree()).toBe(1)
  })

  it.each([
    ['a full one', 9, 9],
    ['one with room to prove a user in', 10, 9],
  ])('is drained without a login for each connection: %s', async (_name, max, idle) => {
    await using way = await openFaultProxy(servers.place)
    const { db, lease } = await servers.knex({ pool: { min: 0, max } }, way)
    // The connection of the first query is not kept.
    await db.raw('select 1')
    await Promise.all(Array.from({ length: idle }, () => slowly(db)))
    expect(await sessions()).toHaveLength(idle)
    const before = way.accepted
    const watch = await watchSessions(servers.database)
    await lease.rotate()
    await vi.waitFor(async () => expect(await sessions()).toEqual([]))
    expect(db.client.pool.numFree()).toBe(0)
    await db.raw('select 1')
    // One to prove the user and one for the query.
    expect(way.accepted - before).toBe(2)
    expect((await watch.stop()).mostAtOnce).toBeLessThanOrEqual(max)
  })

  it('logs in once to prove a user when it is not full', async () => {
    await using way = await openFaultProxy(servers.place)
    const { db, lease } = await servers.knex({ pool: { min: 0, max: 5 } }, way)
    const held = [await db.transaction(), await db.transaction()]
    const before = way.accepted
    await lease.rotate()
    expect(way.accepted - before).toBe(1)
    for (const each of held) await each.commit()
  })

  it('does not hand out a connection that the caller’s validate refuses', async () => {
    const refused = new Set<unknown>()
    const { db } = await servers.knex({
      pool: { min: 0, max: 1, validate: async (connection: unknown) => !refused.has(connection) },
    })
    await db.raw('select 1')
    const before = await pidOf(db)
    expect(await pidOf(db)).toBe(before)
    const connection = await db.client.acquireConnection()
    await db.client.releaseConnection(connection)
    refused.add(connection)
    expect(await pidOf(db)).not.toBe(before)
  })

  it('replaces a connection that is too old for maxConnectionLifetimeMillis', async () => {
    const { db } = await servers.knex({ pool: { min: 0, max: 1, maxConnectionLifetimeMillis: 200 } })
    await db.raw('select 1')
    const before = await pidOf(db)
    expect(await pidOf(db)).toBe(before)
    await sleep(250)
    expect(await pidOf(db)).not.toBe(before)
  })

  it('is shared with a knex that has parameters of its own', async () => {
    const { db, lease } = await servers.knex()
    await db.raw('select 1')
    const reporting = db.withUserParams({ purpose: 'reports' })
    await reporting('items').select()
    await lease.rotate()
    const { rows } = await reporting.raw('select session_user as user')
    expect(rows[0].user).toBe(lease.current?.username)
    await expect(reporting.raw('select pg_sleep(30)').timeout(100, { cancel: true })).rejects.toThrow(
      'Defined query timeout of 100ms exceeded',
    )
  })

  it('streams into another stream, which may fail', async () => {
    const { db } = await servers.knex({ pool: { min: 0, max: 1 } })
    const numbers = () => db.raw('select * from generate_series(1, 500) n').stream({ highWaterMark: 5 })
    let written = 0
    const count = (limit: number): Writable =>
      new Writable({
        objectMode: true,
        write: (_row, _encoding, done) => done(++written > limit ? new Error('full') : null),
      })
    await pipeline(numbers(), count(500))
    expect(written).toBe(500)
    await expect(pipeline(numbers(), count(510))).rejects.toThrow('full')
    await db('items').select()
    const rows = db.select().from(db.raw('generate_series(1, 500) n'))
    await rows.stream((stream) => void stream.pipe(count(2_000)))
    expect(written).toBe(511 + 500)
    await db('items').select()
  })

  it('serves what is queued when it is destroyed before its first connection', async () => {
    const { db } = await servers.knex({ pool: { min: 0, max: 2 } })
    const burst = Promise.all(Array.from({ length: 8 }, () => slowly(db)))
    await db.destroy()
    await burst
  })

  it('says that there is no credential, not that it is full, while Vault does not answer', async () => {
    const { db } = await servers.knex({ acquireConnectionTimeout: 2_000 })
    servers.vault.pause()
    const burst = Array.from({ length: 8 }, () => db('items').select())
    const reasons = (await Promise.allSettled(burst)).map((each) => each.status === 'rejected' && each.reason)
    servers.vault.resume()
    expect(reasons).toEqual(
      reasons.map(() => expect.objectContaining({ code: 'ERR_CREDENTIALS_UNAVAILABLE' })),
    )
    await db('items').select()
  })

  it('replaces a connection that the server has closed', async () => {
    const { db, lease } = await servers.knex({ pool: { min: 0, max: 1 } })
    await db.raw('select 1')
    const connection = await db.client.acquireConnection()
    await db.client.releaseConnection(connection)
    const ended = new Promise((resolve) => connection.once('end', resolve))
    await servers.database.query(
      `select pg_terminate_backend(pid) from pg_stat_activity where usename like 'v-%'`,
    )
    await ended
    await db('items').select()
    expect(lease.status().generation).toBe(1)
  })
})

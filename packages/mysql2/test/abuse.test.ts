import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { VaultPool, VaultPoolOptions } from '../src/index.ts'
import { ask, connectionOf, failureOf, type Servers, startServers, userOf } from './servers.ts'

describe('a pool of createPool() survives its callers across rotations', () => {
  let servers: Servers
  beforeAll(async () => {
    servers = await startServers()
  })
  afterAll(() => servers?.[Symbol.asyncDispose]())

  /** What is done with connections, mostly not as one should. */
  const habits: readonly ((pool: VaultPool) => Promise<unknown>)[] = [
    async (pool) => {
      const connection = await connectionOf(pool)
      await ask(connection, 'start transaction')
      await ask(connection, 'do sleep(0.01)')
      connection.release()
      connection.release()
    },
    async (pool) => {
      const connection = await connectionOf(pool)
      connection.destroy()
      connection.release()
    },
    async (pool) => {
      const { user, password } = servers.database.superuser
      const connection = await connectionOf(pool)
      await new Promise((resolve) => connection.changeUser({ user, password }, resolve))
      connection.release()
    },
    async (pool) => {
      const early = pool.query('select seq from seq_1_to_2000').stream({ highWaterMark: 5 })
      await once(early, 'readable')
      early.destroy()
    },
    async (pool) => {
      const executed = new Promise((resolve) => pool.execute('select nonsense', resolve))
      expect([await failureOf(ask(pool, 'select nonsense')), await executed]).toMatchObject([
        { errno: 1054 },
        { errno: 1054 },
      ])
    },
    async (pool) => expect(await userOf(pool)).toMatch(/^v-/),
  ]

  it.each<[string, VaultPoolOptions]>([
    ['as it is', {}],
    ['that resets', { resetOnRelease: true }],
    ['that lets few wait', { queueLimit: habits.length }],
    ['that closes idle connections', { maxIdle: 1, idleTimeout: 50, gracefulEnd: true }],
  ])('%s', async (_name, options) => {
    const pool = await servers.pool({ connectionLimit: 4, ...options })
    await ask(pool, 'select 1')
    let stop = false
    const callers = Promise.all(
      habits.map(async (habit) => {
        while (!stop) await habit(pool)
      }),
    )
    for (let rotation = 0; rotation < 10; rotation++) {
      await sleep(50)
      await pool.lease.rotate()
    }
    stop = true
    await callers
    const all = await Promise.all(Array.from({ length: 4 }, () => connectionOf(pool)))
    for (const connection of all) connection.release()
    await servers.endAll()
    const drops = await servers.engine.drops()
    expect(drops.filter(({ openSessions }) => openSessions > 0)).toEqual([])
  })
})

import { setTimeout as sleep } from 'node:timers/promises'
import type { LeaseManager } from '@vault-lease/core'
import { createPool, type VaultPool as MySqlPool } from '@vault-lease/mysql2'
import { VaultPool } from '@vault-lease/pg'
import knex, { type Knex } from 'knex'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import type { Place } from '../../../test/leased-servers.ts'
import { type Servers, startServers } from './servers.ts'

type Open = (options: Place & { lease: LeaseManager }) => VaultPool | MySqlPool

const clients: Readonly<Record<'pg' | 'mysql2', { open: Open; user: string; sleep: string }>> = {
  pg: {
    open: (options) => new VaultPool({ ...options, max: 3 }),
    user: 'select session_user as "user"',
    sleep: 'select pg_sleep(0.01)',
  },
  mysql2: {
    open: (options) => createPool({ ...options, connectionLimit: 3 }),
    user: `select substring_index(session_user(), '@', 1) as user`,
    sleep: 'select sleep(0.01)',
  },
}

describe.each(['pg', 'mysql2'] as const)(
  'a knex on a leased pool of %s, by its option connectionPool',
  (client) => {
    const { open, user, sleep: shortSleep } = clients[client]
    let servers: Servers
    beforeAll(async () => {
      servers = await startServers(client)
    })
    afterEach(() => servers.endAll())
    afterAll(() => servers?.stop())

    async function knexOnPool(): Promise<{ db: Knex; pool: ReturnType<Open>; lease: LeaseManager }> {
      const lease = await servers.lease()
      const pool = open({ lease, ...servers.place })
      // The types of knex do not take a pool of mysql2.
      const db = knex({ client, connectionPool: pool as Knex.ConnectionPool })
      servers.closing(db, async () => {
        await db.destroy()
        await pool.end()
      })
      return { db, pool, lease }
    }

    const userOf = async (on: Knex): Promise<unknown> => {
      const answer = await on.raw(user)
      return (client === 'pg' ? answer.rows : answer[0])[0].user
    }

    it('loses nothing in rotations under load', async () => {
      const { db, lease } = await knexOnPool()
      let over = false
      let done = 0
      const worker = async (): Promise<void> => {
        while (!over) {
          await db('items').insert({ name: 'one' })
          await db.transaction(async (trx) => {
            await trx('items').insert({ name: 'two' })
            await trx.raw(shortSleep)
          })
          done += 2
        }
      }
      const workers = Promise.all(Array.from({ length: 5 }, worker))
      for (let n = 0; n < 5; n++) {
        await sleep(200)
        await lease.rotate()
      }
      over = true
      await workers
      const [row] = await db('items').count({ count: '*' })
      expect(Number(row?.['count'])).toBe(done)
      await vi.waitFor(async () => expect(await userOf(db)).toBe(lease.current?.username), {
        timeout: 20_000,
      })
    })

    it('keeps a transaction with its user', async () => {
      const { db, lease } = await knexOnPool()
      const trx = await db.transaction()
      const before = lease.current?.username
      await lease.rotate()
      expect(await userOf(trx)).toBe(before)
      expect(await userOf(db)).toBe(lease.current?.username)
      await trx.commit()
    })

    it('leaves the pool to its owner when it is destroyed', async () => {
      const { db, pool, lease } = await knexOnPool()
      await userOf(db)
      await db.destroy()
      const another = knex({ client, connectionPool: pool as Knex.ConnectionPool })
      expect(await userOf(another)).toBe(lease.current?.username)
      await another.destroy()
    })
  },
)

import { setTimeout as sleep } from 'node:timers/promises'
import { VaultPool } from '@vault-lease/pg'
import pg from 'pg'
import Cursor from 'pg-cursor'
import QueryStream from 'pg-query-stream'
import type { MakeStatic, MakeSubject, Place, Workload } from './subject.ts'

export const leased: MakeSubject = (place, from) => {
  const pool = new VaultPool({ ...from, ...poolOptions(place) })
  return {
    ...poolWorkload(pool),
    inspectables: () => [pool, pool.options, pool.lease, pool.lease.status()],
    close: () => pool.end(),
  }
}

export const plain: MakeStatic = (place, login) => {
  const pool = new pg.Pool({ ...login, ...poolOptions(place) })
  return { ...poolWorkload(pool), inspectables: () => [pool], close: () => pool.end() }
}

export const quickOptions = {
  idleTimeoutMillis: 100,
  maxLifetimeSeconds: 1,
  maxUses: 20,
  keepAlive: true,
  keepAliveInitialDelayMillis: 100,
}

export function poolOptions({ server, max, acquireTimeoutMs, quick }: Place): pg.PoolConfig {
  const { host, port, database } = server
  const all = { host, port, database, max, connectionTimeoutMillis: acquireTimeoutMs }
  return quick ? { ...all, ...quickOptions } : all
}

function poolWorkload(pool: pg.Pool): Workload {
  return {
    query: () => pool.query('select name from items where id = $1', [1]),
    async transaction(holdMs) {
      const client = await pool.connect()
      try {
        await client.query('begin')
        await client.query('select count(*) from items')
        await sleep(holdMs)
        await client.query('update items set hits = hits + 1 where id = $1', [anyId()])
        await client.query('commit')
      } finally {
        client.release()
      }
    },
    async stream() {
      const client = await pool.connect()
      try {
        let rows = 0
        for await (const _row of client.query(
          new QueryStream('select * from items', [], { batchSize: 25 }),
        )) {
          if (++rows % 25 === 0) await sleep(5)
        }
        if (rows !== 100) throw new Error(`the stream gave ${rows} rows`)
      } finally {
        client.release()
      }
    },
    deniedQuery: () => pool.query('select * from private.forbidden'),
    async openTransaction() {
      const client = await pool.connect()
      await client.query('begin')
      return {
        async step() {
          const { rows } = await client.query<{ user: string }>(
            'select session_user as user from items limit 1',
          )
          return rows[0]?.user ?? ''
        },
        async finish() {
          await client.query('commit').finally(() => client.release())
        },
      }
    },
    async openCursor() {
      const client = await pool.connect()
      const cursor = client.query(new Cursor<{ user: string }>('select session_user as user from items'))
      return {
        async step() {
          const rows = await cursor.read(10)
          return rows[0]?.user ?? ''
        },
        async finish() {
          await cursor.close().finally(() => client.release())
        },
      }
    },
  }
}

function anyId(): number {
  return 1 + Math.floor(Math.random() * 100)
}

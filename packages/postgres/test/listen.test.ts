import { setTimeout as sleep } from 'node:timers/promises'
import postgres from 'postgres'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { type LeasedServers, startLeasedServers } from '../../../test/leased-servers.ts'
import { listen, type VaultSql, vaultPostgres } from '../src/index.ts'

describe('listen()', () => {
  let servers: LeasedServers
  beforeAll(async () => {
    servers = await startLeasedServers({ kind: 'postgresql', database: { maxConnections: 30 } })
  })
  afterEach(() => servers.endAll())
  afterAll(() => servers?.stop())

  async function client(options: { max?: number } = {}): Promise<VaultSql> {
    const lease = await servers.lease()
    const sql = vaultPostgres({ ...servers.place, lease, max: 2, ...options })
    return servers.closing(sql, () => sql.end())
  }

  async function listening(sql: VaultSql, channels = ['jobs']) {
    const heard: string[] = []
    const opened = await listen(sql, channels, ({ payload }) => void heard.push(payload))
    servers.closing(opened, () => opened.close())
    const told: string[] = []
    opened.on('lost', () => void told.push('lost')).on('restored', () => void told.push('restored'))
    return { opened, heard, told }
  }

  it('hears what is notified on its channels, and nothing more once it is closed', async () => {
    const sql = await client()
    const { opened, heard } = await listening(sql, ['jobs', 'Täglich "neu"'])
    await sql.notify('jobs', 'one')
    await sql.notify('other', 'two')
    await sql.notify('Täglich "neu"', 'three')
    await vi.waitFor(() => expect(heard).toEqual(['one', 'three']))
    await Promise.all([opened.close(), opened.close()])
    await sql.notify('jobs', 'late')
    await sleep(50)
    expect(heard).toEqual(['one', 'three'])
  })

  it('tells a million notifications over 20 rotations once each, in their order', async () => {
    const notifiers = 4
    const each = 250_000
    const batch = 250
    const sql = await client({ max: notifiers })
    const next = Array<number>(notifiers).fill(0)
    const wrong: string[] = []
    const opened = await listen(sql, ['jobs'], ({ payload }) => {
      const [notifier = 0, number] = payload.split(' ').map(Number)
      if (number !== next[notifier]) wrong.push(payload)
      next[notifier] = (number ?? 0) + 1
    })
    servers.closing(opened, () => opened.close())
    const lost = vi.fn()
    opened.on('lost', lost)
    const notify = async (notifier: number): Promise<void> => {
      for (let from = 0; from < each; from += batch)
        await sql`select count(pg_notify('jobs', ${notifier}::text || ' ' || n))
          from generate_series(${from}::int, ${from + batch - 1}::int) n`
    }
    const notifying = Promise.all(next.map((_, notifier) => notify(notifier)))
    while (sql.lease.generation < 21) await sql.lease.rotate()
    await notifying
    await vi.waitFor(() => expect(next).toEqual(Array(notifiers).fill(each)), { timeout: 30_000 })
    expect(wrong).toEqual([])
    expect(lost).not.toHaveBeenCalled()
  }, 120_000)

  it('lets the old user go as soon as the next connection listens', async () => {
    const sql = await client()
    const { heard, told } = await listening(sql)
    const retired = vi.fn()
    sql.lease.on('retired', retired)
    await sql.lease.rotate()
    await vi.waitFor(() => expect(retired).toHaveBeenCalledOnce(), 5_000)
    expect(retired.mock.calls[0]?.[0]).toMatchObject({ forced: 0 })
    await sql.notify('jobs', 'after')
    await vi.waitFor(() => expect(heard).toEqual(['after']))
    expect(told).toEqual([])
  })

  it('tells that its connection was lost, and hears again', async () => {
    const sql = await client()
    const { heard, told } = await listening(sql)
    const { username } = sql.lease.status()
    await servers.database.query(
      `select pg_terminate_backend(pid) from pg_stat_activity where usename = '${username}'`,
    )
    await vi.waitFor(() => expect(told).toEqual(['lost', 'restored']), 5_000)
    await servers.database.query(`notify jobs, 'after'`)
    await vi.waitFor(() => expect(heard).toEqual(['after']))
  })

  it('holds up no end of its client, nor of its lease', async () => {
    const sql = await client()
    await listening(sql)
    const began = performance.now()
    await sql.end()
    await sql.lease.close()
    expect(performance.now() - began).toBeLessThan(5_000)
  })

  it('takes a client of ours alone', async () => {
    const plain = postgres({ host: '127.0.0.1', port: 1, database: 'app' })
    await expect(listen(plain as unknown as VaultSql, ['jobs'], () => {})).rejects.toMatchObject({
      code: 'ERR_INVALID_OPTION',
    })
  })
})

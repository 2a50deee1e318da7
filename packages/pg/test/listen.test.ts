import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { type Listening, listen, type Notification, type VaultPool } from '../src/index.ts'
import { type Servers, startServers } from './servers.ts'

describe('listen()', () => {
  let servers: Servers
  beforeAll(async () => {
    servers = await startServers()
  })
  afterEach(() => servers.endAll())
  afterAll(() => servers?.stop())

  async function listening(pool: VaultPool, channels = ['jobs']) {
    const heard: Notification[] = []
    const opened: Listening = await listen(pool, channels, (notification) => void heard.push(notification))
    servers.closing(opened, () => opened.close())
    const told: string[] = []
    opened.on('lost', () => void told.push('lost')).on('restored', () => void told.push('restored'))
    return { opened, heard, told, payloads: () => heard.map(({ payload }) => payload) }
  }

  it('hears what is notified on its channels, and nothing more once it is closed', async () => {
    const pool = await servers.pool()
    const { opened, heard, payloads } = await listening(pool, ['jobs', 'Täglich "neu"'])
    await pool.query(`notify jobs; notify "Täglich ""neu""", 'x'; notify other, 'y'`)
    await vi.waitFor(() => expect(payloads()).toEqual(['', 'x']))
    expect(heard[1]).toEqual({ channel: 'Täglich "neu"', payload: 'x', processId: expect.any(Number) })
    await Promise.all([opened.close(), opened.close()])
    await pool.query(`notify jobs, 'late'`)
    await sleep(50)
    expect(heard).toHaveLength(2)
    expect(pool.idleCount).toBe(pool.totalCount)
  })

  it('tells a million notifications over 20 rotations once each, in their order', async () => {
    const notifiers = 4
    const each = 250_000
    const batch = 250
    const pool = await servers.pool({ max: notifiers + 2 })
    const next = Array<number>(notifiers).fill(0)
    const wrong: string[] = []
    const opened = await listen(pool, ['jobs'], ({ payload }) => {
      const [notifier = 0, number] = payload.split(' ').map(Number)
      if (number !== next[notifier]) wrong.push(payload)
      next[notifier] = (number ?? 0) + 1
    })
    servers.closing(opened, () => opened.close())
    const lost = vi.fn()
    opened.on('lost', lost)
    const notify = async (notifier: number): Promise<void> => {
      for (let from = 0; from < each; from += batch)
        await pool.query(
          `select count(pg_notify('jobs', $1 || ' ' || n)) from generate_series($2::int, $3::int) n`,
          [notifier, from, from + batch - 1],
        )
    }
    const notifying = Promise.all(next.map((_, notifier) => notify(notifier)))
    while (pool.lease.generation < 21) await pool.lease.rotate()
    await notifying
    await vi.waitFor(() => expect(next).toEqual(Array(notifiers).fill(each)), { timeout: 30_000 })
    expect(wrong).toEqual([])
    expect(lost).not.toHaveBeenCalled()
  }, 120_000)

  it('lets the old user go as soon as the next connection listens', async () => {
    const pool = await servers.pool()
    const { payloads, told } = await listening(pool)
    const retired = vi.fn()
    pool.lease.on('retired', retired)
    await pool.lease.rotate()
    await vi.waitFor(() => expect(retired).toHaveBeenCalledOnce(), 5_000)
    expect(retired.mock.calls[0]?.[0]).toMatchObject({ forced: 0 })
    await pool.query(`notify jobs, 'after'`)
    await vi.waitFor(() => expect(payloads()).toEqual(['after']))
    expect(told).toEqual([])
  })

  it('tells that its connection was lost, and hears again', async () => {
    const pool = await servers.pool()
    const { payloads, told } = await listening(pool)
    const { username } = pool.lease.status()
    await servers.database.query(
      `select pg_terminate_backend(pid) from pg_stat_activity where usename = '${username}'`,
    )
    await vi.waitFor(() => expect(told).toEqual(['lost', 'restored']), 5_000)
    await pool.query(`notify jobs, 'after'`)
    await vi.waitFor(() => expect(payloads()).toEqual(['after']))
  })

  it('tells that it may have missed something where the pool has no second connection', async () => {
    await servers.engine.role('brief', { ttl: '8s', maxTtl: '10m' })
    const pool = await servers.pool({ role: 'brief', max: 1, rotation: { drainTimeoutMs: 300 } })
    const { payloads, told } = await listening(pool)
    // Its user cannot be proven in a full pool: that is tried for some seconds.
    await pool.lease.rotate()
    await vi.waitFor(() => expect(told).toEqual(['lost', 'restored']), 10_000)
    await servers.database.query(`notify jobs, 'after'`)
    await vi.waitFor(() => expect(payloads()).toEqual(['after']))
  })

  it('holds up no end of its pool, nor anybody after that', async () => {
    const pool = await servers.pool()
    const { opened } = await listening(pool)
    const began = performance.now()
    await pool.end()
    expect(performance.now() - began).toBeLessThan(2_000)
    await opened.close()

    const lease = await servers.lease()
    const other = await servers.pool({ lease })
    const { opened: left, told } = await listening(other)
    void other.end()
    await lease.close({ timeoutMs: 500 })
    await left.close()
    expect(told).toEqual([])
  })

  it('goes on when who listens throws', async () => {
    const pool = await servers.pool()
    const warned = vi.fn()
    process.on('warning', warned)
    const heard: string[] = []
    const opened = await listen(pool, ['jobs'], async ({ payload }) => {
      heard.push(payload)
      throw new Error('a bug')
    })
    servers.closing(opened, () => opened.close())
    await pool.query(`notify jobs, 'one'; notify jobs, 'two'`)
    await vi.waitFor(() => expect(heard).toEqual(['one', 'two']))
    await vi.waitFor(() => expect(warned).toHaveBeenCalledTimes(2))
    process.off('warning', warned)
  })

  it('refuses channels that PostgreSQL would not take', async () => {
    const pool = await servers.pool()
    for (const channels of [[], [''], ['x'.repeat(64)]])
      await expect(listen(pool, channels, () => {})).rejects.toMatchObject({ code: 'ERR_INVALID_OPTION' })
    expect(pool.totalCount).toBe(0)
  })
})

import { describe, expect, it, vi } from 'vitest'
import { endMySqlSession } from '../../src/database/mysql.ts'
import { ManualClock } from '../manual-clock.ts'

const noSuchThread = Object.assign(new Error('Unknown thread id: 7'), { errno: 1094 })
const mayNot = Object.assign(new Error('You are not owner of thread 7'), { errno: 1095 })

describe('endMySqlSession', () => {
  it('kills every 10 ms until the server knows the session no longer', async () => {
    const clock = new ManualClock()
    const run = vi.fn(async (_sql: string) => {
      if (clock.now() === 2_000) throw noSuchThread
    })
    const ending = endMySqlSession(run, 7, clock)
    await clock.advance(1_999)
    expect(run).toHaveBeenCalledTimes(200)
    await clock.advance(1)
    await ending
    expect(run).toHaveBeenCalledTimes(201)
    expect(run).toHaveBeenLastCalledWith('kill 7')
    expect(clock.pending).toBe(0)
  })

  it('gives up on a session that is still there after 3 s', async () => {
    const clock = new ManualClock()
    const ending = expect(endMySqlSession(async () => {}, 7, clock)).rejects.toThrow('within 3000 ms')
    await clock.advance(3_000)
    await ending
    expect(clock.pending).toBe(0)
  })

  it('hears at once what else the server has against it', async () => {
    const refusing = endMySqlSession(() => Promise.reject(mayNot), 7, new ManualClock())
    await expect(refusing).rejects.toBe(mayNot)
  })
})

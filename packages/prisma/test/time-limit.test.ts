import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { TimeLimit } from '../src/mariadb/time-limit.ts'

describe('a time limit', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  it('is over for each who waits at its own time, and not for who has gone or was forgotten', () => {
    const over: string[] = []
    const limit = new TimeLimit<string>(100, (waiter) => over.push(waiter))
    limit.add('first')
    vi.advanceTimersByTime(60)
    limit.add('gone')
    limit.add('second')
    expect(limit.delete('gone')).toBe(true)
    vi.advanceTimersByTime(60)
    expect(over).toEqual(['first'])
    expect(limit.delete('first')).toBe(false)
    vi.advanceTimersByTime(60)
    expect(over).toEqual(['first', 'second'])
    limit.add('forgotten')
    limit.clear()
    vi.advanceTimersByTime(200)
    expect(over).toHaveLength(2)
    expect(vi.getTimerCount()).toBe(0)
  })
})

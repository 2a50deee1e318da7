import { describe, expect, it } from 'vitest'
import { drainOf } from '../../src/lease/drain.ts'

const minute = 60_000

describe('the drain of a user that was replaced', () => {
  it('takes minutes for a lease of an hour, and leaves holders the whole time to drain', () => {
    const drain = drainOf({ ageMs: 40 * minute, leftMs: 16 * minute, drainTimeoutMs: 5 * minute })
    expect(drain).toEqual({ turnsMs: 4 * minute, totalMs: 9 * minute })
  })

  it('makes it in what a lease of seconds has left', () => {
    const drain = drainOf({ ageMs: 4_000, leftMs: 1_600, drainTimeoutMs: 5 * minute })
    expect(drain).toEqual({ turnsMs: 400, totalMs: 1_600 })
  })

  it('is as fast as users follow each other', () => {
    const drain = drainOf({ ageMs: 200, leftMs: 60 * minute, drainTimeoutMs: minute })
    expect(drain).toEqual({ turnsMs: 50, totalMs: minute + 50 })
  })

  it('has no turns when nobody may take their time', () => {
    expect(drainOf({ ageMs: minute, leftMs: minute, drainTimeoutMs: 0 })).toEqual({ turnsMs: 0, totalMs: 0 })
  })

  it.each([
    { ageMs: 40 * minute, turnsMs: 5_000 },
    { ageMs: 6_000, turnsMs: 300 },
  ])(
    'has an end for a user whose end nobody knows, and it may be near: $turnsMs ms',
    ({ ageMs, turnsMs }) => {
      const leftMs = Number.POSITIVE_INFINITY
      const drain = drainOf({ ageMs, leftMs, drainTimeoutMs: minute })
      expect(drain).toEqual({ turnsMs, totalMs: minute + turnsMs })
    },
  )
})

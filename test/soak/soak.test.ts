import { describe, expect, it } from 'vitest'
import { subjectNames, subjects } from '../subjects/index.ts'
import { flatness } from './flat.ts'
import { soakOneLease } from './one-lease.ts'
import { soakPaces } from './paces.ts'
import { soakRotations } from './rotations.ts'
import { countTimers } from './timers.ts'

/** Beside heartbeats of half a second, and idle limits of a tenth. */
const shortPaces = [
  { everyMs: 2_250, rotations: 2 },
  { everyMs: 750, rotations: 3 },
  { everyMs: 250, rotations: 10 },
]

describe('flatness', () => {
  it('takes what settles for flat, and what goes on growing for growing', () => {
    const settles = Array.from({ length: 50 }, (_, n) => Math.min(n, 9) + (n % 3))
    expect(flatness(settles, 0.05, 2)).toMatchObject({ flat: true })
    const grows = Array.from({ length: 50 }, (_, n) => 20 + n * 0.3)
    expect(flatness(grows, 0.05, 2)).toMatchObject({ flat: false })
  })
})

describe('countTimers', () => {
  it('sees a timer that keeps nothing alive, until it is gone', () => {
    const before = countTimers()
    const timers = Array.from({ length: 10 }, () => setTimeout(() => {}, 60_000).unref())
    expect(countTimers()).toBe(before + 10)
    for (const timer of timers.splice(0)) clearTimeout(timer)
    expect(countTimers()).toBeLessThan(before + 10)
  })
})

describe('a soak', () => {
  it('of thirty rotations loses no query, leaves no user, and brings no warning', async () => {
    const samples: number[] = []
    const report = await soakRotations('pg', 30, (done) => samples.push(done))
    expect(report).toMatchObject({ rotations: 30, failed: 0, failures: {}, warnings: [], usersLeft: 0 })
    expect(report.queries).toBeGreaterThan(100)
    expect(samples).toEqual([5, 10, 15, 20, 25, 30])
    expect(report.verdicts.listeners).toMatchObject({ flat: true })
  })

  const kinds = [...new Set(subjectNames.map((name) => subjects[name].database))]
  it.each(kinds)(
    'of each adapter of %s loses no query when its driver has short patience',
    async (kind) => {
      const adapters = subjectNames.filter((name) => subjects[name].database === kind)
      const { outcomes, warnings, usersLeft } = await soakPaces(adapters, shortPaces, true)
      for (const name of adapters) {
        const { queries, failed, firstErrors } = outcomes[name] ?? {}
        expect({ name, failed, firstErrors }).toEqual({ name, failed: 0, firstErrors: {} })
        expect(queries).toBeGreaterThan(20)
      }
      expect({ warnings, usersLeft }).toEqual({ warnings: [], usersLeft: 0 })
    },
    180_000,
  )

  it.each(['pg', 'mongodb'] as const)('of one lease under %s leaves the heap as it is', async (adapter) => {
    const report = await soakOneLease(adapter, 5_000, () => {})
    expect(report).toMatchObject({ failed: 0, generation: 1, heapMb: { flat: true } })
    expect(report.queries).toBeGreaterThanOrEqual(5_000)
  })
})

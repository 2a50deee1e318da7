import { describe, expect, it } from 'vitest'
import { flatness } from './flat.ts'
import { soak } from './run.ts'
import { countTimers } from './timers.ts'

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
    const report = await soak('pg', 30, (done) => samples.push(done))
    expect(report).toMatchObject({ rotations: 30, failed: 0, failures: {}, warnings: [], usersLeft: 0 })
    expect(report.queries).toBeGreaterThan(100)
    expect(samples).toEqual([5, 10, 15, 20, 25, 30])
    expect(report.verdicts.listeners).toMatchObject({ flat: true })
  })
})

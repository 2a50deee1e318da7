import { describe, expect, it } from 'vitest'
import { RateLimit, type RateLimitTerms } from '../../src/resilience/rate-limit.ts'
import { ManualClock } from '../manual-clock.ts'

async function timesOf(terms: RateLimitTerms, requests: number): Promise<number[]> {
  const clock = new ManualClock()
  const limit = new RateLimit(terms, clock)
  const times: number[] = []
  for (let n = 0; n < requests; n++) void limit.turn(undefined).then(() => times.push(clock.now()))
  await clock.advance(60_000)
  return times
}

describe('a rate limit', () => {
  it('lets so many through each second', async () => {
    expect(await timesOf({ rate: 2, burst: 1 }, 5)).toEqual([0, 500, 1_000, 1_500, 2_000])
  })

  it('lets a burst through at once', async () => {
    expect(await timesOf({ rate: 1, burst: 3 }, 5)).toEqual([0, 0, 0, 1_000, 2_000])
    expect(await timesOf({ rate: 2, burst: 2 }, 4)).toEqual([0, 0, 500, 1_000])
    expect(await timesOf({ rate: 0.5, burst: 1 }, 2)).toEqual([0, 2_000])
  })

  it('has as much room again after a pause, and not more', async () => {
    const clock = new ManualClock()
    const limit = new RateLimit({ rate: 1, burst: 2 }, clock)
    await clock.advance(100_000)
    const times: number[] = []
    for (let n = 0; n < 3; n++) void limit.turn(undefined).then(() => times.push(clock.now()))
    await clock.advance(5_000)
    expect(times).toEqual([100_000, 100_000, 101_000])
  })

  it('ends a wait with the signal', async () => {
    const clock = new ManualClock()
    const limit = new RateLimit({ rate: 1, burst: 1 }, clock)
    await limit.turn(undefined)
    const stop = new AbortController()
    const waiting = limit.turn(stop.signal)
    stop.abort(new Error('enough'))
    await expect(waiting).rejects.toThrow('enough')
    expect(clock.pending).toBe(0)
  })

  it('gives the slot of who gives up to the next one, and never two at once', async () => {
    const clock = new ManualClock()
    const limit = new RateLimit({ rate: 1, burst: 1 }, clock)
    const times: number[] = []
    const stop = new AbortController()
    const turn = (signal?: AbortSignal) =>
      limit.turn(signal).then(
        () => void times.push(clock.now()),
        () => {},
      )
    void turn()
    void turn(stop.signal)
    void turn(stop.signal)
    void turn()
    await clock.advance(500)
    stop.abort()
    void turn()
    await clock.advance(10_000)
    expect(times).toEqual([0, 1_000, 2_000])
    expect(clock.pending).toBe(0)
  })
})

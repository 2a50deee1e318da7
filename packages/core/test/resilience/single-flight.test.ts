import { describe, expect, it } from 'vitest'
import { SingleFlight } from '../../src/resilience/single-flight.ts'
import { rejection } from '../secrets.ts'

function setUp() {
  const signals: AbortSignal[] = []
  const settle: ((value: string) => void)[] = []
  const flight = new SingleFlight<string>((signal) => {
    signals.push(signal)
    return new Promise((resolve, reject) => {
      settle.push(resolve)
      signal.addEventListener('abort', () => reject(signal.reason))
    })
  })
  return { flight, signals, settle }
}

describe('a single flight', () => {
  it('is one call for all who ask at the same time, and another one later', async () => {
    const { flight, signals, settle } = setUp()
    const both = [flight.join(undefined), flight.join(undefined)]
    settle[0]?.('first')
    expect(await Promise.all(both)).toEqual(['first', 'first'])
    expect(flight.underWay).toBeUndefined()
    const later = flight.join(undefined)
    settle[1]?.('second')
    expect(await later).toBe('second')
    expect(signals).toHaveLength(2)
  })

  it('goes on while somebody waits, and is given up with the last; who comes then begins anew', async () => {
    const { flight, signals, settle } = setUp()
    const [one, other] = [new AbortController(), new AbortController()]
    const waiting = [rejection(flight.join(one.signal)), rejection(flight.join(other.signal))]
    one.abort(new Error('one'))
    await waiting[0]
    expect(signals[0]?.aborted).toBe(false)
    other.abort(new Error('other'))
    expect(await waiting[1]).toMatchObject({ message: 'other' })
    expect(signals[0]?.reason).toMatchObject({ message: 'other' })
    const next = flight.join(undefined)
    settle[1]?.('next')
    expect(await next).toBe('next')
  })

  it('fails for all who wait', async () => {
    const flight = new SingleFlight(async () => {
      throw new Error('no')
    })
    const both = [rejection(flight.join(undefined)), rejection(flight.join(undefined))]
    expect(await Promise.all(both)).toMatchObject([{ message: 'no' }, { message: 'no' }])
  })
})

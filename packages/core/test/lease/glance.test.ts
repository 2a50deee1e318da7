import { describe, expect, it } from 'vitest'
import { Glance } from '../../src/lease/glance.ts'
import { ManualClock } from '../manual-clock.ts'

/** Something that is so until a moment of the monotonic clock. */
function setUp(until: number) {
  const clock = new ManualClock()
  clock.ahead = 1_000_000
  const state = { until, looks: 0 }
  const glance = new Glance('nothing yet', () => {
    state.looks++
    const lastsMs = state.until - clock.now()
    return { value: lastsMs > 0 ? 'alive' : 'dead', lastsMs }
  })
  return { clock, state, glance }
}

describe('a glance', () => {
  it('looks once a second while nothing happens', () => {
    const { clock, state, glance } = setUp(60_000)
    for (let ms = 0; ms < 10_000; ms += 10) {
      expect(glance.at(clock)).toBe('alive')
      clock.jump(10)
    }
    expect(state.looks).toBe(10)
  })

  it.each([
    ['the event loop was blocked', (clock: ManualClock) => clock.jump(5_000)],
    [
      'the date was set back meanwhile',
      (clock: ManualClock) => {
        clock.jump(5_000)
        clock.ahead -= 3_000
      },
    ],
    [
      'the date was set far back',
      (clock: ManualClock) => {
        clock.jump(5_000)
        clock.ahead -= 900_000
      },
    ],
    [
      'the date was set forward',
      (clock: ManualClock) => {
        clock.jump(5_000)
        clock.ahead += 900_000
      },
    ],
  ])('never says what is over, though %s', (_what, happen) => {
    const { clock, glance } = setUp(5_000)
    expect(glance.at(clock)).toBe('alive')
    happen(clock)
    expect(glance.at(clock)).toBe('dead')
  })

  it('notices that the machine slept, when only the date went on', () => {
    const { clock, state, glance } = setUp(60_000)
    glance.at(clock)
    clock.ahead += 2_000
    glance.at(clock)
    expect(state.looks).toBe(2)
  })

  it('is exact near the end, whatever the date says', () => {
    const { clock, glance } = setUp(1_500)
    for (let ms = 0; ms < 1_500; ms += 100) {
      expect(glance.at(clock)).toBe('alive')
      clock.jump(100)
      clock.ahead -= 50
    }
    expect(glance.at(clock)).toBe('dead')
  })

  it('looks anew when it was told that something has changed, also for who does not look at the time', () => {
    const { clock, state, glance } = setUp(60_000)
    expect(glance.lately(clock)).toBe('alive')
    state.until = 0
    expect(glance.lately(clock)).toBe('alive')
    glance.forget()
    expect(glance.lately(clock)).toBe('dead')
    expect(glance.at(clock)).toBe('dead')
  })
})

import { expect, it } from 'vitest'
import { maxLoginsPer100Ms } from './logins.ts'

it('counts the sessions that each user began in any tenth of a second, but not those of the first user', () => {
  const timeline = [
    { at: 1_000, sessions: { 'v-1': 10 } },
    { at: 2_000, sessions: { 'v-1': 9, 'v-2': 1 } },
    { at: 2_090, sessions: { 'v-1': 8, 'v-2': 3 } },
    { at: 2_110, sessions: { 'v-2': 5 } },
    { at: 2_195, sessions: { 'v-2': 4, 'v-3': 1 } },
  ]
  expect(maxLoginsPer100Ms(timeline)).toBe(4)
  expect(maxLoginsPer100Ms(timeline.slice(0, 1))).toBe(0)
  expect(maxLoginsPer100Ms([])).toBe(0)
})

import { expect, it } from 'vitest'
import { ManualClock } from '../../core/test/manual-clock.ts'
import { TimeLimit } from '../src/mariadb/time-limit.ts'

it('a time limit is over for each who waits at its own time, and not for who has gone or was forgotten', async () => {
  const clock = new ManualClock()
  const over: string[] = []
  const limit = new TimeLimit<string>(100, (waiter) => over.push(waiter), clock)
  limit.add('first')
  await clock.advance(60)
  limit.add('gone')
  limit.add('second')
  expect(limit.delete('gone')).toBe(true)
  await clock.advance(60)
  expect(over).toEqual(['first'])
  expect(limit.delete('first')).toBe(false)
  await clock.advance(60)
  expect(over).toEqual(['first', 'second'])
  limit.add('forgotten')
  limit.clear()
  await clock.advance(200)
  expect(over).toHaveLength(2)
})

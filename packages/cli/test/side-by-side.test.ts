import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { sideBySide } from '../src/leases/side-by-side.ts'

const items = Array.from({ length: 40 }, (_, index) => index)

it('asks some at a time, and answers in order', async () => {
  let now = 0
  let most = 0
  const answers = await sideBySide(items, async (item) => {
    most = Math.max(most, ++now)
    await sleep(item % 3)
    now--
    return item * 2
  })
  expect(answers).toEqual(items.map((item) => item * 2))
  expect(most).toBe(8)
})

it('asks nothing more after a failure', async () => {
  let asked = 0
  const asking = sideBySide(items, async (item) => {
    asked++
    await sleep(1)
    if (item === 3) throw new Error('no')
  })
  await expect(asking).rejects.toThrow('no')
  await sleep(20)
  expect(asked).toBeLessThan(20)
})

import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import type { Subject } from '../subjects/subject.ts'

/** Adds one event after another until it is checked that each was told once, where the database tells of changes. */
export async function tellingOf({ events }: Subject): Promise<{ check(): Promise<void> } | undefined> {
  if (!events) return undefined
  const told: number[] = []
  const endWatch = await events.watch((n) => told.push(n))
  let adding = true
  const added = (async () => {
    let next = 0
    for (; adding; next++) await events.add(next)
    return next
  })()
  return {
    async check() {
      adding = false
      const count = await added
      while (told.length < count) await sleep(20)
      await sleep(200)
      await endWatch()
      expect(told).toEqual(Array.from({ length: count }, (_, n) => n))
      expect(count).toBeGreaterThan(20)
    },
  }
}

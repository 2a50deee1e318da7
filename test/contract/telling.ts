import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import type { Subject } from '../subjects/subject.ts'

/** Events that are added and told, until somebody has looked at them, or leaves them. */
interface Telling extends AsyncDisposable {
  /** Ends it, and checks that each was told once. */
  check(): Promise<void>
}

/** Adds one event after another, where the database tells of changes. */
export async function tellingOf({ events }: Subject): Promise<Telling | undefined> {
  if (!events) return undefined
  const told: number[] = []
  const endWatch = await events.watch((n) => told.push(n))
  let adding = true
  const added = (async () => {
    let next = 0
    for (; adding; next++) await events.add(next)
    return next
  })()
  let ended: Promise<void> | undefined
  const end = (): Promise<void> => {
    ended ??= endWatch()
    return ended
  }
  return {
    async check() {
      adding = false
      const count = await added
      while (told.length < count) await sleep(20)
      await sleep(200)
      await end()
      expect(told).toEqual(Array.from({ length: count }, (_, n) => n))
      expect(count).toBeGreaterThan(20)
    },
    async [Symbol.asyncDispose]() {
      adding = false
      await Promise.allSettled([added, end()])
    },
  }
}

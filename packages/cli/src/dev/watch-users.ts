import { setTimeout as sleep } from 'node:timers/promises'
import { type Coming, Comings } from './comings.ts'

/** What lives for less than a program takes to start can be missed. */
const everyMs = 50

/** What a watch is told, and what it tells. */
export interface Watch {
  users(): Promise<readonly string[]>
  onComing(coming: Coming): void
  /** Once, until the users can be looked at again. */
  onFailure(error: unknown): void
}

/** Looks at the users of a database, and tells of each that comes and goes, until the signal. */
export async function watchUsers({ users, onComing, onFailure }: Watch, signal: AbortSignal): Promise<void> {
  const comings = new Comings()
  let failing = false
  while (!signal.aborted) {
    try {
      for (const coming of comings.see(await users(), Date.now())) onComing(coming)
      failing = false
    } catch (error) {
      if (!failing) onFailure(error)
      failing = true
    }
    await sleep(everyMs, undefined, { signal }).catch(() => {})
  }
}

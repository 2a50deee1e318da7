import type { Attachment } from '../src/lease/attachment.ts'
import type { Consumer } from '../src/lease/consumer.ts'
import type { LeaseEvents } from '../src/lease/events.ts'
import { attach } from '../src/lease/manager.ts'
import { managerOf } from './manager-of.ts'
import { ManualClock } from './manual-clock.ts'
import { ScriptedSource } from './scripted-source.ts'

/** A manager with a clock and a source that a test moves, and the names of what it has told. */
export function scriptedManager(consumers: Consumer[] = []) {
  const clock = new ManualClock()
  const source = new ScriptedSource(clock)
  const lease = managerOf({ source, clock, random: () => 0.5, drainTimeoutMs: 300_000 })
  const attachments = consumers.map((consumer) => attach(lease, consumer))
  const events: (keyof LeaseEvents)[] = []
  for (const name of ['rotated', 'renewed', 'retired', 'revoked', 'failed', 'expired'] as const) {
    lease.on(name, () => void events.push(name))
  }
  return { clock, source, lease, attachments, events }
}

/** A statement was denied. */
export function suspect(pool: Attachment): void {
  if (pool.current) pool.suspected(pool.current)
}

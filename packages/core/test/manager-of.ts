import type { Attachment } from '../src/lease/attachment.ts'
import type { Consumer } from '../src/lease/consumer.ts'
import { LeaseEngine, type LeaseEngineParts } from '../src/lease/engine.ts'
import { attach, type LeaseManager, Manager } from '../src/lease/manager.ts'
import { Shares } from '../src/resilience/shares.ts'

/** Makes managers of one lease. */
export function managersOf(parts: LeaseEngineParts): () => LeaseManager {
  const engines = new Shares<LeaseEngine>()
  const join = () => engines.take('one', () => new LeaseEngine(parts))
  return () => new Manager({ description: parts.source.description, clock: parts.clock, join })
}

/** A manager that shares nothing. */
export function managerOf(parts: LeaseEngineParts): LeaseManager {
  return managersOf(parts)()
}

/** A consumer whose database accepts everything, unless a test says otherwise. */
export function quietConsumer(place = 'test://db'): { -readonly [Key in keyof Consumer]: Consumer[Key] } {
  return {
    place,
    prove: async () => 'accepted',
    retire: async () => ({ closed: 1, forced: 0 }),
  }
}

/** Attaches a consumer that is in use. */
export function joined(lease: LeaseManager, consumer: Consumer): Attachment {
  const attachment = attach(lease, consumer) as Attachment
  attachment.join()
  return attachment
}

/** The database of a consumer refuses what it uses. Whether it has another credential afterwards. */
export async function refuse(attachment: Attachment, credential = attachment.current): Promise<boolean> {
  if (!credential) return false
  return await attachment.refused(credential, new Error('refused'))
}

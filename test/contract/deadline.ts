import { once } from 'node:events'
import { openFaultProxy } from '@vault-lease/testing'
import { expect, it } from 'vitest'
import type { HeldOpen } from '../subjects/subject.ts'
import type { Stage } from './stage.ts'

/** When the time to drain has passed. To be called among the tests that run one after the other. */
export function atTheDeadline(stage: Stage): void {
  it('closes what is still held at the deadline, with an error that says so, and goes on', async () => {
    const lease = await stage.world.lease('60s', '120s', { rotation: { drainTimeoutMs: 300 } })
    const subject = await stage.subjectOn({ lease })
    const held = await Promise.all([subject.openTransaction(), subject.openCursor()])
    for (const each of held) await each.step()
    const retired = once(lease, 'retired')
    await lease.rotate()
    const [{ forced }] = await retired
    expect(forced).toBe(2)
    for (const each of held) {
      const error = await toTheEnd(each).catch((failure: unknown) => failure)
      stage.world.secrets.look(error)
      expect(error).toMatchObject({
        code: 'ERR_CONNECTION_RETIRED',
        message: expect.stringMatching(/belonged to the database user "[vV][-_].*rotation\.drainTimeoutMs/),
      })
      await each.finish().catch(() => {})
    }
    await subject.query()
    await stage.closeAndCheck(subject, lease)
  })

  it('has closed it at the server, too, when its user is dropped, over a slow way', async () => {
    await using way = await openFaultProxy(stage.world.database)
    const lease = await stage.world.lease('60s', '120s', { rotation: { drainTimeoutMs: 300 } })
    const subject = await stage.subjectOn({ lease }, way)
    const held = await subject.openTransaction()
    await held.step()
    way.set({ kind: 'latency', ms: 100 })
    const retired = once(lease, 'retired')
    await lease.rotate()
    await retired
    await held.finish().catch(() => {})
    await subject.query()
    await stage.closeAndCheck(subject, lease)
  })
}

/** What a cursor has read ahead is still given out. */
async function toTheEnd(held: HeldOpen): Promise<void> {
  for (let step = 0; step < 50; step++) await held.step()
}

import type { LeaseManager } from '@vault-lease/core'
import { describe, expect, it } from 'vitest'
import { ManualClock } from '../../core/test/manual-clock.ts'
import { type LeasedPool, Session } from '../src/session.ts'

/** A session with a pool that does not end, on a lease with a credential. */
function setUp() {
  const clock = new ManualClock()
  const lease = { current: {} } as LeaseManager
  const session = new Session({ lease, owned: false }, clock)
  const pool = { atWork: true, end: (): Promise<void> => new Promise(() => {}) }
  session.add(pool satisfies LeasedPool)
  let drained = false
  void session.drain().then(() => {
    drained = true
  })
  return { clock, pool, isDrained: () => drained }
}

describe('the end of a session', () => {
  it('waits for work, and then 200 ms for who may only have paused', async () => {
    const { clock, pool, isDrained } = setUp()
    await clock.advance(5_000)
    pool.atWork = false
    await clock.advance(100)
    pool.atWork = true
    await clock.advance(100)
    pool.atWork = false
    await clock.advance(190)
    expect(isDrained()).toBe(false)
    await clock.advance(20)
    expect(isDrained()).toBe(true)
  })

  it('waits 10 s for work at most, and leaves no timer', async () => {
    const { clock, isDrained } = setUp()
    await clock.advance(9_990)
    expect(isDrained()).toBe(false)
    await clock.advance(20)
    expect(isDrained()).toBe(true)
    expect(clock.pending).toBe(0)
  })
})

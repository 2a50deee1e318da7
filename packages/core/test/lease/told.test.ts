import { describe, expect, it, vi } from 'vitest'
import { CredentialNotProvenError, CredentialsUnavailableError } from '../../src/errors.ts'
import type { Consumer } from '../../src/lease/consumer.ts'
import type { LeaseEvents } from '../../src/lease/events.ts'
import { attach, type LeaseManager } from '../../src/lease/manager.ts'
import { statusOfOpenLeases } from '../../src/lease/open-leases.ts'
import { sleep } from '../../src/resilience/clock.ts'
import { joined, managersOf, quietConsumer } from '../manager-of.ts'
import { ManualClock } from '../manual-clock.ts'
import { ScriptedSource } from '../scripted-source.ts'

const second = 1_000
const source = 'database/creds/app'

/** A source that takes 1 s to give a credential, and a database that takes 2 s to accept it. */
function setUp() {
  const clock = new ManualClock()
  const scripted = new ScriptedSource(clock)
  const fetch = scripted.fetch.bind(scripted)
  scripted.fetch = async (terms) => {
    await sleep(clock, second)
    return await fetch(terms)
  }
  const consumer: Consumer = {
    ...quietConsumer(),
    async prove() {
      await sleep(clock, 2 * second)
      return 'accepted'
    },
    retire: async () => {
      await sleep(clock, 4 * second)
      return { closed: 1, forced: 0 }
    },
  }
  const manage = managersOf({ source: scripted, clock, random: () => 0.5, drainTimeoutMs: 300 * second })
  const lease = manage()
  attach(lease, consumer)
  return { clock, source: scripted, consumer, manage, lease, rotations: told(lease, 'rotation') }
}

function told<Name extends keyof LeaseEvents>(lease: LeaseManager, name: Name): LeaseEvents[Name][0][] {
  const payloads: LeaseEvents[Name][0][] = []
  lease.on(name, (payload) => void payloads.push(payload))
  return payloads
}

async function rotated(clock: ManualClock, lease: LeaseManager): Promise<void> {
  const rotating = lease.rotate()
  rotating.catch(() => {})
  await clock.advance(10 * second)
  await rotating
}

async function ready(clock: ManualClock, lease: LeaseManager): Promise<void> {
  const fetching = lease.ready()
  await clock.advance(3 * second)
  await fetching
}

describe('what a rotation comes to', () => {
  it('is told with the time of each step, and whom it replaces', async () => {
    const { clock, lease, rotations } = setUp()
    const revoked = told(lease, 'revoked')
    await ready(clock, lease)
    const steps = [
      { step: 'fetch', tookMs: second, error: undefined },
      { step: 'prove', tookMs: 2 * second, error: undefined },
      { step: 'publish', tookMs: 0, error: undefined },
    ]
    const first = { source, outcome: 'success', reason: 'start', generation: 1, tookMs: 3 * second, steps }
    expect(rotations).toEqual([{ ...first, replaced: [] }])
    await rotated(clock, lease)
    expect(rotations[1]).toEqual({
      ...first,
      reason: 'manual',
      generation: 2,
      replaced: [{ generation: 1, username: 'v-1' }],
    })
    expect(revoked).toEqual([{ source, generation: 1, username: 'v-1', tookMs: 0 }])
    const closed = lease.close()
    await clock.advance(20 * second)
    await closed
  })

  it('is told with the step that failed', async () => {
    const { clock, source: scripted, consumer, lease, rotations } = setUp()
    await ready(clock, lease)
    scripted.fault = new CredentialsUnavailableError('sealed')
    scripted.faultAt = 'fetch'
    await expect(rotated(clock, lease)).rejects.toBe(scripted.fault)
    const failure = { source, outcome: 'failure', reason: 'manual', generation: 1, replaced: [] }
    const fetched = { step: 'fetch', tookMs: second }
    expect(rotations[1]).toEqual({
      ...failure,
      tookMs: second,
      steps: [{ ...fetched, error: scripted.fault }],
    })
    scripted.fault = undefined
    const refusal = new CredentialNotProvenError('no', { refused: false })
    consumer.prove = async () => {
      throw refusal
    }
    await expect(rotated(clock, lease)).rejects.toBe(refusal)
    expect(rotations[2]).toMatchObject({
      ...failure,
      steps: [
        { ...fetched, error: undefined },
        { step: 'prove', error: refusal },
      ],
    })
    const closed = lease.close()
    await clock.advance(20 * second)
    await closed
  })

  it('is no failure when only the lease was closed meanwhile', async () => {
    const { clock, source: scripted, lease, rotations } = setUp()
    await ready(clock, lease)
    scripted.hang = true
    const rotating = lease.rotate().catch(() => {})
    const closed = lease.close()
    await clock.advance(60 * second)
    await Promise.all([rotating, closed])
    expect(rotations).toHaveLength(1)
  })

  it('is told when the source has no other credential', async () => {
    const { clock, source: scripted, lease, rotations } = setUp()
    const fetch = scripted.fetch
    scripted.fetch = async (terms) => {
      const issued = await fetch(terms)
      return { ...issued, username: 'v', password: 'p', lease: { ...issued.lease, extendable: false } }
    }
    await ready(clock, lease)
    await clock.advance(43 * second)
    expect(rotations.slice(1)).toMatchObject([{ outcome: 'unchanged', reason: 'age', generation: 1 }])
    const closed = lease.close()
    await clock.advance(20 * second)
    await closed
  })
})

describe('a login', () => {
  it('is told with the place where it was', async () => {
    const { clock, lease } = setUp()
    const logins = told(lease, 'login')
    const attachment = joined(lease, quietConsumer('test://other'))
    await ready(clock, lease)
    attachment.loggedIn(await lease.credential())
    expect(logins).toEqual([{ source, place: 'test://other', generation: 1, username: 'v-1' }])
    const closed = lease.close()
    await clock.advance(20 * second)
    await closed
  })
})

describe('the open leases', () => {
  it('have each lease once, with the pools of all who share it, until the last of them is closed', async () => {
    expect(statusOfOpenLeases()).toEqual([])
    const { clock, consumer, manage, lease } = setUp()
    expect(statusOfOpenLeases()).toEqual([])
    const usage = { connections: [{ generation: 1, open: 3 }] }
    consumer.usage = () => usage
    const other = manage()
    joined(other, quietConsumer('test://other'))
    await ready(clock, lease)
    expect(statusOfOpenLeases()).toMatchObject([
      {
        source,
        state: 'ready',
        generation: 1,
        places: [
          { place: 'test://other', usage: undefined },
          { place: 'test://db', usage },
        ],
      },
    ])
    for (const each of [other, lease]) {
      expect(statusOfOpenLeases()).toHaveLength(1)
      const closed = each.close()
      await clock.advance(20 * second)
      await closed
    }
    expect(statusOfOpenLeases()).toEqual([])
  })

  it('are those of every copy of the library', async () => {
    vi.resetModules()
    const copy = await import('../../src/index.ts')
    const credential = async () => ({ username: 'u', password: 'p' })
    const lease = copy.createLease({ credential })
    await lease.ready()
    expect(statusOfOpenLeases()).toEqual(copy.statusOfOpenLeases())
    expect(statusOfOpenLeases()).toHaveLength(1)
    await lease.close()
    expect(statusOfOpenLeases()).toEqual([])
  })
})

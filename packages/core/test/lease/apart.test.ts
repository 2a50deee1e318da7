import { setImmediate } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { CredentialNotProvenError } from '../../src/errors.ts'
import type { Attachment } from '../../src/lease/attachment.ts'
import type { Consumer } from '../../src/lease/consumer.ts'
import { sleep } from '../../src/resilience/clock.ts'
import { endlessLease } from '../../src/source/lease.ts'
import { joined, managersOf, quietConsumer } from '../manager-of.ts'
import { ManualClock } from '../manual-clock.ts'
import { ScriptedSource } from '../scripted-source.ts'

const second = 1_000
const minute = 60 * second

const refuses: Consumer['prove'] = async () => {
  throw new CredentialNotProvenError('no such user', { refused: true })
}
const isDown: Consumer['prove'] = async () => {
  throw new CredentialNotProvenError('connection refused', { refused: false })
}
const untilAborted = (signal: AbortSignal): Promise<unknown> =>
  new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))

/** What a consumer can do to the others on its lease. */
const troubles: Readonly<Record<string, Partial<Consumer>>> = {
  'refuses the user': { prove: refuses },
  'refuses connections': { prove: isDown },
  hangs: {
    async prove(_credential, signal) {
      await untilAborted(signal)
      throw signal.reason
    },
  },
  'never settles': {
    prove: () => new Promise(() => {}),
    retire: () => new Promise(() => {}),
  },
  'throws what is no promise': {
    prove() {
      throw new TypeError('a bug')
    },
    retire() {
      throw new TypeError('another bug')
    },
  },
  'is exhausted by its holders': {
    async prove(_credential, signal) {
      await untilAborted(signal)
      return 'full'
    },
    async retire(_generation, { signal }) {
      await untilAborted(signal)
      return { closed: 0, forced: 1 }
    },
  },
}

function setUp() {
  const clock = new ManualClock()
  const source = new ScriptedSource(clock)
  source.ttl = 6 * second
  source.maxTtl = 12 * second
  const manager = managersOf({ source, clock, random: () => 0.5, drainTimeoutMs: 300 * second })
  const [lease, ofOther] = [manager(), manager()]
  const other = quietConsumer('test://other')
  const retired: { generation: number; withinMs: number }[] = []
  const well = quietConsumer('test://well')
  well.retire = async (generation, { deadline }) => {
    retired.push({ generation, withinMs: deadline - clock.now() })
    return { closed: 1, forced: 0 }
  }
  return { clock, source, lease, ofOther, well, other, retired }
}

/** Uses a credential all the time, as a pool does, and counts when there was none at once. */
function use(pool: Attachment, clock: ManualClock) {
  const without: number[] = []
  return {
    without,
    async forMs(ms: number): Promise<void> {
      for (let passed = 0; passed < ms; passed += 100) {
        if (!pool.current) without.push(clock.now())
        await clock.advance(100)
      }
    },
  }
}

describe.each(Object.entries(troubles))('beside a consumer that %s', (_what, trouble) => {
  it('another one gets its first credential at once', async () => {
    const { clock, lease, ofOther, well, other } = setUp()
    joined(ofOther, Object.assign(other, trouble))
    const pool = joined(lease, well)
    const credential = pool.credential()
    await clock.advance(1)
    expect(await credential).toMatchObject({ username: 'v-1' })
    expect(pool.status()).toMatchObject({ state: 'proven' })
  })

  it('another one that comes later gets one at once, though nobody could have one before', async () => {
    const { clock, lease, ofOther, well, other } = setUp()
    const first = joined(ofOther, Object.assign(other, trouble))
    first.credential().catch(() => {})
    await clock.advance(2 * second)
    const pool = joined(lease, well)
    const credential = pool.credential()
    await clock.advance(1)
    expect(await credential).toMatchObject({ username: expect.stringMatching(/^v-/) })
  })

  it('another one always has a credential, for a minute of rotations, with three users at most', async () => {
    const { clock, source, lease, ofOther, well, other } = setUp()
    joined(ofOther, other)
    const pool = joined(lease, well)
    await pool.credential()
    Object.assign(other, trouble)
    const uses = use(pool, clock)
    let most = 0
    for (let n = 0; n < 60; n++) {
      await uses.forMs(second)
      most = Math.max(most, source.alive.size)
    }
    expect(uses.without).toEqual([])
    expect(most).toBeLessThanOrEqual(3)
    expect(pool.generation).toBeGreaterThan(4)
    const alone = 60 / 9
    expect(source.calls.filter((call) => call === 'fetch').length).toBeLessThanOrEqual(alone + 2)
  })

  it('another one has the time to drain that it would have alone', async () => {
    const { clock, lease, ofOther, well, other, retired } = setUp()
    joined(ofOther, other)
    const pool = joined(lease, well)
    await pool.credential()
    Object.assign(other, trouble)
    await use(pool, clock).forMs(30 * second)
    // Of the 6 s of a lease 3 s are left when max TTL comes in sight, and a fifth of them belongs to the closing.
    expect(retired.length).toBeGreaterThan(1)
    for (const { withinMs } of retired) expect(withinMs).toBeGreaterThan(2.3 * second)
  })

  it('another one that waits for its first credential closes soon, and leaves nobody behind', async () => {
    const { clock, source, lease, well } = setUp()
    const pool = joined(lease, Object.assign(well, trouble))
    pool.credential().catch(() => {})
    await clock.advance(100)
    let closed = false
    const closing = lease.close().then(() => {
      closed = true
    })
    // Who holds connections has 10 s, and a close as a whole 15.
    await clock.advance(trouble.retire ? 15 * second : 4 * second)
    expect(closed).toBe(true)
    await closing
    await clock.advance(20 * second)
    expect([...source.alive]).toEqual([])
    expect(clock.pending).toBe(0)
  })

  it('another one closes in its own time, and so does the one in trouble', async () => {
    const { clock, source, lease, ofOther, well, other } = setUp()
    joined(ofOther, other)
    await joined(lease, well).credential()
    Object.assign(other, trouble)
    let closed = false
    const closing = lease.close({ timeoutMs: 100 }).then(() => {
      closed = true
    })
    await clock.advance(100)
    expect(closed).toBe(true)
    await closing
    const ended = ofOther.close({ timeoutMs: 100 })
    await clock.advance(100)
    await ended
    await clock.advance(20 * second)
    expect(ofOther.status().state).toBe('closed')
    expect([...source.alive]).toEqual([])
    expect(clock.pending).toBe(0)
  })
})

it.each([0, 20, 40, 60, 80, 100, 120, 140, 160])(
  'a consumer that joins %i ms into an attempt that fails for another one has its first credential all the same',
  async (ms) => {
    const { clock, source, lease, ofOther, well, other } = setUp()
    const { revoke } = source
    source.revoke = async (...terms) => {
      await sleep(clock, 50)
      await revoke.apply(source, terms)
    }
    other.prove = async () => {
      await sleep(clock, 50)
      throw new CredentialNotProvenError('connection refused', { refused: false })
    }
    joined(ofOther, other)
      .credential()
      .catch(() => {})
    await clock.advance(ms)
    const credential = joined(lease, well).credential()
    await clock.advance(500)
    expect(await credential).toMatchObject({ username: expect.stringMatching(/^v-/) })
  },
)

describe('a database that refuses one consumer alone', () => {
  it('costs the others nothing, is asked again with growing gaps, and serves again by itself', async () => {
    const { clock, source, lease, ofOther, well, other } = setUp()
    source.ttl = source.maxTtl = 3_600 * second
    const pool = joined(lease, well)
    const refused = joined(ofOther, other)
    await Promise.all([pool.credential(), refused.credential()])
    const places: string[] = []
    ofOther.on('place', ({ place, from, to }) => void places.push(`${place}: ${from} → ${to}`))
    let asked = 0
    other.prove = async (...args) => {
      asked++
      return await refuses(...args)
    }
    const credential = refused.current
    if (!credential) throw new Error('it has none')
    const answer = refused.refused(credential, new CredentialNotProvenError('no', { refused: true }))
    await clock.advance(1)
    expect(await answer).toBe(false)
    expect(pool.current).toBe(credential)
    expect(refused.current).toBeUndefined()
    expect(refused.status()).toMatchObject({ state: 'refused', lastError: 'no' })
    await expect(refused.credential()).rejects.toMatchObject({
      code: 'ERR_CREDENTIALS_UNAVAILABLE',
      message: expect.stringContaining('test://other'),
    })
    await clock.advance(5 * minute)
    expect(asked).toBeGreaterThan(8)
    expect(asked).toBeLessThan(20)
    expect(source.calls).toEqual(['fetch'])
    other.prove = quietConsumer().prove
    await clock.advance(minute)
    expect(refused.current).toBe(credential)
    expect(places).toEqual(['test://other: proven → refused', 'test://other: refused → proven'])
    await Promise.all([lease.close(), ofOther.close()])
    expect(clock.pending).toBe(0)
  })

  it('is believed when all whom one can ask refuse too: the credential is replaced for all', async () => {
    const { source, lease, ofOther, well, other } = setUp()
    const pools = [joined(lease, well), joined(ofOther, other)] as const
    await Promise.all(pools.map((pool) => pool.credential()))
    const refusesTheFirst: Consumer['prove'] = async (credential, signal) =>
      credential.username === 'v-1' ? await refuses(credential, signal) : 'accepted'
    well.prove = refusesTheFirst
    other.prove = refusesTheFirst
    const credential = pools[1].current
    if (!credential) throw new Error('it has none')
    expect(await pools[1].refused(credential, new Error('no'))).toBe(true)
    await setImmediate()
    expect(pools.map(({ current }) => current?.username)).toEqual(['v-2', 'v-2'])
    expect(source.calls.filter((call) => call === 'fetch')).toHaveLength(2)
  })

  it('has another user made when the others do not answer, and theirs lives on', async () => {
    const { clock, lease, ofOther, well, other } = setUp()
    const pool = joined(lease, well)
    const refused = joined(ofOther, other)
    await Promise.all([pool.credential(), refused.credential()])
    well.prove = isDown
    const credential = refused.current
    if (!credential) throw new Error('it has none')
    const answer = refused.refused(credential, new Error('no'))
    await clock.advance(100)
    expect(await answer).toBe(true)
    expect(refused.current?.username).toBe('v-2')
    expect(pool.current).toBeDefined()
  })
})

describe('a consumer that lags behind', () => {
  async function lagging() {
    const set = setUp()
    set.source.ttl = set.source.maxTtl = 3_600 * second
    const pool = joined(set.lease, set.well)
    const late = joined(set.ofOther, set.other)
    await Promise.all([pool.credential(), late.credential()])
    return { ...set, pool, late }
  }
  const refusesBut =
    (...names: string[]): Consumer['prove'] =>
    async (credential, signal) =>
      names.includes(credential.username) ? 'accepted' : await refuses(credential, signal)

  it('goes over to the new user once its database knows it, though it goes on to accept the old one', async () => {
    const { clock, lease, other, late } = await lagging()
    other.prove = refusesBut('v-1')
    const rotation = lease.rotate()
    await clock.advance(5 * second)
    await rotation
    expect(late.current?.username).toBe('v-1')
    expect(late.state).toBe('refused')
    if (late.current) late.accepted(late.current)
    expect(late.state).toBe('refused')
    other.prove = quietConsumer().prove
    await clock.advance(60 * second)
    expect(late.current?.username).toBe('v-2')
    expect(late.state).toBe('proven')
  })

  it('is never moved back by an answer about a user that has been replaced', async () => {
    const { clock, lease, other, late } = await lagging()
    other.prove = refusesBut('v-3')
    await Promise.all([lease.rotate(), clock.advance(3 * second)])
    const again = lease.rotate()
    await clock.advance(10 * second)
    await again
    expect(late.current?.username).toBe('v-3')
    expect(late.state).toBe('proven')
  })

  it('has the source asked when it is the one that has heard of a new password', async () => {
    const { clock, source, lease, ofOther, well, other } = setUp()
    const { fetch } = source
    let password = 'old'
    source.fetch = async (terms) => {
      const issued = await fetch.call(source, terms)
      return { ...issued, username: 'stays', password, lease: endlessLease({ readAt: clock.now() }) }
    }
    const writer = joined(lease, well)
    const reader = joined(ofOther, other)
    await Promise.all([writer.credential(), reader.credential()])
    password = 'new'
    well.prove = async (credential, signal) =>
      credential.password === 'new' ? 'accepted' : await refuses(credential, signal)
    const { current } = writer
    if (!current) throw new Error('it has none')
    const answer = writer.refused(current, new Error('no'))
    await clock.advance(second)
    expect(await answer).toBe(true)
    expect(writer.current?.password).toBe('new')
    expect(writer.generation).toBe(1)
  })

  it('and refuses is not outvoted by one that cannot be asked', async () => {
    const { clock, lease, well, other, pool } = await lagging()
    well.prove = refuses
    other.prove = async (_credential, signal) => {
      await untilAborted(signal)
      return 'full'
    }
    const rotation = expect(lease.rotate()).rejects.toMatchObject({ code: 'ERR_CREDENTIAL_NOT_PROVEN' })
    await clock.advance(70 * second)
    await rotation
    expect(pool.current?.username).toBe('v-1')
  })
})

describe('one consumer alone', () => {
  it('is asked before a new user is published while the old one lives', async () => {
    const { clock, lease, well } = setUp()
    const pool = joined(lease, well)
    await pool.credential()
    well.prove = isDown
    const rotation = expect(lease.rotate()).rejects.toMatchObject({ code: 'ERR_CREDENTIAL_NOT_PROVEN' })
    await clock.advance(second)
    await rotation
    expect(pool.current?.username).toBe('v-1')
  })
})

describe('a manager', () => {
  it('that was made and never used keeps nobody from revoking', async () => {
    const { source, lease, ofOther, well, other } = setUp()
    const { attach } = await import('../../src/lease/manager.ts')
    attach(ofOther, other)
    await joined(lease, well).credential()
    await lease.close()
    expect([...source.alive]).toEqual([])
    expect(source.calls.at(-1)).toBe('close')
  })

  it('waits through failures that pass, as long as it is told, and not through what lasts', async () => {
    const { clock, source, lease } = setUp()
    source.fault = new CredentialNotProvenError('Vault is sealed', { refused: false })
    const ready = lease.ready({ timeoutMs: 30 * second })
    await clock.advance(20 * second)
    source.fault = undefined
    await clock.advance(10 * second)
    await ready
    expect(lease.current?.username).toBe('v-1')
  })
})

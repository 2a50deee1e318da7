import { getEventListeners } from 'node:events'
import { describe, expect, it } from 'vitest'
import { Credential } from '../../src/lease/credential.ts'
import { RotatingConnections } from '../../src/pool/rotating-connections.ts'
import { managerOf } from '../manager-of.ts'
import { ManualClock } from '../manual-clock.ts'
import { ScriptedSource } from '../scripted-source.ts'

const credential = new Credential(1, 'v-1', 'secret')

/** The connections of a pool of `max`, whose proofs last until a test ends them. */
function setUp(max: number, giveUpOne = async (): Promise<void> => {}) {
  const clock = new ManualClock()
  const lease = managerOf({
    source: new ScriptedSource(clock),
    clock,
    random: () => 0.5,
    drainTimeoutMs: 1_000,
  })
  const proof = { connection: {}, end: (): void => {} }
  const connections = new RotatingConnections<object>(
    lease,
    { max: () => max, giveUpOne, drainIdle: () => {} },
    {
      place: 'test://db',
      connectAs(as) {
        connections.opening(proof.connection, as)
        return new Promise((resolve) => {
          proof.end = () => {
            connections.closed(proof.connection)
            resolve()
          }
        })
      },
      askForUser: async () => 'exists',
      isLeaving: () => false,
      closeUnderHolder: async () => {},
    },
    clock,
  )
  return { connections, proof, clock }
}

describe('the connections of a pool', () => {
  it('leave no room in a full pool until the connection that proves a user is closed', async () => {
    const { connections, proof } = setUp(2)
    connections.opening({}, credential)
    const proving = connections.prove(credential, new AbortController().signal)
    let isRoom = false
    const beforeItIsOpen = connections.whenRoom()?.then(() => {
      isRoom = true
    })
    await Promise.resolve()
    const whileItIsOpen = connections.whenRoom()
    expect(beforeItIsOpen).toBeDefined()
    expect(whileItIsOpen).toBeDefined()
    expect(isRoom).toBe(false)
    proof.end()
    await Promise.all([proving, beforeItIsOpen, whileItIsOpen])
    expect(connections.whenRoom()).toBeUndefined()
  })

  it('are counted by generation, and their load is told where the pool knows it', () => {
    const { connections } = setUp(2)
    expect(connections.usage()).toEqual({ connections: [], load: undefined })
    for (const each of [{}, {}]) connections.opening(each, credential)
    connections.opening({}, new Credential(2, 'v-2', 'secret'))
    expect(connections.usage().connections).toEqual([
      { generation: 1, open: 2 },
      { generation: 2, open: 1 },
    ])
  })

  it('leave room beside a proof where there is some', async () => {
    const { connections, proof } = setUp(3)
    connections.opening({}, credential)
    const proving = connections.prove(credential, new AbortController().signal)
    await Promise.resolve()
    expect(connections.whenRoom()).toBeUndefined()
    proof.end()
    await proving
  })

  it('are asked for a place again and again, with pauses, while the pool has none to give', async () => {
    let asked = 0
    const { connections, proof, clock } = setUp(1, async () => {
      if (++asked > 1_000) connections.closed(open)
    })
    const first = connections.attachment.credential()
    await clock.advance(1)
    proof.end()
    const inUse = await first
    const open = {}
    connections.opening(open, inUse)
    const { signal } = new AbortController()
    const proving = connections.prove(new Credential(2, 'v-2', 'secret'), signal)
    await clock.advance(100)
    expect(asked).toBeGreaterThan(2)
    expect(asked).toBeLessThan(10)
    // Node warns of more than ten: each look would leave one until the proof is over.
    expect(getEventListeners(signal, 'abort').length).toBeLessThan(4)
    connections.closed(open)
    await clock.advance(1)
    proof.end()
    expect(await proving).toBe('accepted')
  })

  it('are asked for one place at a time, also when one that was free is taken by somebody else', async () => {
    let asked = 0
    const never = new Promise<void>(() => {})
    const { connections, proof, clock } = setUp(1, async () => {
      // Without end the test would have none either.
      if (++asked > 100) connections.closed(other)
      else await never
    })
    const first = connections.attachment.credential()
    await clock.advance(1)
    proof.end()
    const inUse = await first
    const [one, other] = [{}, {}]
    connections.opening(one, inUse)
    const proving = connections.prove(new Credential(2, 'v-2', 'secret'), new AbortController().signal)
    await clock.advance(1)
    connections.closed(one)
    connections.opening(other, inUse)
    await clock.advance(100)
    expect(asked).toBe(1)
    connections.closed(other)
    await clock.advance(1)
    proof.end()
    expect(await proving).toBe('accepted')
  })
})

describe('a connection that has proven a user and stays in its pool', () => {
  /** Its driver keeps it, and its pool closes it when it is asked to drain. */
  function keeping() {
    const clock = new ManualClock()
    const source = new ScriptedSource(clock)
    const lease = managerOf({ source, clock, random: () => 0.5, drainTimeoutMs: 1_000 })
    const connection = {}
    let drained = 0
    const connections: RotatingConnections<object> = new RotatingConnections<object>(
      lease,
      {
        max: () => 1,
        giveUpOne: async () => {},
        drainIdle() {
          drained++
          if (connections.isStale(connection)) connections.closed(connection)
        },
      },
      {
        place: 'test://db',
        async connectAs(as) {
          connections.opening(connection, as)
        },
        askForUser: async () => 'exists',
        isLeaving: () => false,
        closeUnderHolder: async () => {},
      },
      clock,
    )
    return { connections, connection, drained: () => drained }
  }

  it('is stale until its user is in force', async () => {
    const { connections, connection } = keeping()
    await connections.prove(credential, new AbortController().signal)
    expect(connections.isStale(connection)).toBe(true)
    const { generation } = await connections.attachment.credential()
    expect(generation).toBe(1)
    expect(connections.isStale(connection)).toBe(false)
  })

  it('is stale once it has ended', async () => {
    const { connections, connection } = keeping()
    await connections.prove(credential, new AbortController().signal)
    await connections.attachment.credential()
    connections.closed(connection)
    expect(connections.isStale(connection)).toBe(true)
  })

  it('is closed when its user will never be in force', async () => {
    const { connections, connection } = keeping()
    await connections.prove(credential, new AbortController().signal)
    const terms = { deadline: 0, signal: AbortSignal.abort(), stragglerError: () => new Error('never') }
    expect(await connections.retire(1, terms)).toEqual({ closed: 1, forced: 0 })
    expect(connections.credentialOf(connection)).toBeUndefined()
    await connections.allClosed()
  })

  it('makes room for the next user to prove, in a pool of one', async () => {
    const { connections, connection, drained } = keeping()
    await connections.prove(credential, new AbortController().signal)
    await connections.prove(new Credential(2, 'v-2', 'secret'), new AbortController().signal)
    expect(drained()).toBe(1)
    expect(connections.credentialOf(connection)?.generation).toBe(2)
  })
})

describe('the connections of a user that was replaced', () => {
  async function replaced(count: number) {
    const { connections, proof, clock } = setUp(10)
    const first = connections.attachment.credential()
    await clock.advance(1)
    proof.end()
    await first
    const old = Array.from({ length: count }, () => ({}))
    // As if the user in use had followed another.
    for (const each of old) connections.opening(each, new Credential(7, 'v-7', 'secret'))
    const stale = (): number => old.filter((each) => connections.isStale(each)).length
    const end = new AbortController()
    const over = new AbortController()
    const retire = (turnsMs: number | undefined) =>
      connections.retire(7, {
        ...(turnsMs !== undefined && { turns: { by: clock.now() + turnsMs, over: over.signal } }),
        deadline: clock.now() + 10_000,
        signal: end.signal,
        stragglerError: () => new Error('over'),
      })
    return { clock, retire, stale, over, end }
  }

  it('leave one after another until the last one has its turn', async () => {
    const { clock, retire, stale, end } = await replaced(8)
    const retiring = retire(8_000)
    const seen: number[] = []
    for (let ms = 0; ms < 8_000; ms += 500) {
      seen.push(stale())
      await clock.advance(500)
    }
    expect(seen[0]).toBe(1)
    expect(seen).toEqual(seen.toSorted((a, b) => a - b))
    expect(new Set(seen).size).toBeGreaterThan(5)
    expect(stale()).toBe(8)
    end.abort()
    await retiring
  })

  it('leave at once when they can wait no longer', async () => {
    const { clock, retire, stale, over, end } = await replaced(8)
    const retiring = retire(8_000)
    await clock.advance(100)
    expect(stale()).toBeLessThan(3)
    over.abort()
    await clock.advance(1)
    expect(stale()).toBe(8)
    end.abort()
    await retiring
  })

  it('leave at once when their user may not be used any more, also in the middle of their turns', async () => {
    const { clock, retire, stale, end } = await replaced(8)
    const retiring = retire(8_000)
    await clock.advance(100)
    const again = retire(undefined)
    expect(stale()).toBe(8)
    end.abort()
    await Promise.all([retiring, again])
  })
})

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
    const proving = connections.prove(new Credential(2, 'v-2', 'secret'), new AbortController().signal)
    await clock.advance(100)
    expect(asked).toBeGreaterThan(2)
    expect(asked).toBeLessThan(10)
    connections.closed(open)
    await clock.advance(1)
    proof.end()
    expect(await proving).toBe('accepted')
  })
})

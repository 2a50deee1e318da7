import { describe, expect, it } from 'vitest'
import { Credential } from '../../src/lease/credential.ts'
import { RotatingConnections } from '../../src/pool/rotating-connections.ts'
import { managerOf } from '../manager-of.ts'
import { ManualClock } from '../manual-clock.ts'
import { ScriptedSource } from '../scripted-source.ts'

const credential = new Credential(1, 'v-1', 'secret')

/** The connections of a pool of `max`, whose proofs last until a test ends them. */
function setUp(max: number) {
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
    { max: () => max, giveUpOne: async () => {}, drainIdle: () => {} },
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
  return { connections, proof }
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
})

import { setImmediate } from 'node:timers/promises'
import { describe, expect, it, vi } from 'vitest'
import { Credential } from '../../src/lease/credential.ts'
import { fakeClient, never, type Open, server, setUp, slowly, terms } from '../fake-clients.ts'
import { ManualClock } from '../manual-clock.ts'

describe('a client that is replaced while its user can be used', () => {
  const turnsMs = 1_000

  async function replaced(connections = 5) {
    const clock = new ManualClock()
    const { clients, driver, lease, publish } = setUp(undefined, clock)
    const first = await clients.current()
    first.has(connections)
    publish(2)
    const second = await clients.current()
    const over = new AbortController()
    const drained = new AbortController()
    const turns = { by: clock.now() + turnsMs, over: over.signal }
    const retiring = clients.retire(1, { ...terms, signal: drained.signal, turns })
    return { clock, clients, driver, publish, lease, first, second, turns, over, drained, retiring }
  }

  it('does what is new until the next has as many connections, opened one after another', async () => {
    const { clock, clients, first, second, retiring } = await replaced()
    expect(clients.usable).toBe(first)
    expect(clients.isInForce(1)).toBe(true)
    expect(clients.isInForce(2)).toBe(true)
    await clock.advance(turnsMs / 2)
    expect(second.openOne.mock.calls.length).toBeGreaterThanOrEqual(1)
    expect(second.openOne.mock.calls.length).toBeLessThan(4)
    expect(clients.usable).toBe(first)
    expect(first.retire).not.toHaveBeenCalled()
    await clock.advance(turnsMs / 2)
    await retiring
    expect(second.connections().get(server)).toBeGreaterThanOrEqual(4)
    for (const { value } of second.openOne.mock.settledResults) expect(value).toHaveBeenCalledOnce()
    expect(clients.usable).toBe(second)
    expect(clients.isInForce(1)).toBe(false)
    expect(first.retire).toHaveBeenCalledOnce()
  })

  it('is left at once where nothing is missing, or nothing can be opened', async () => {
    const { clients, second, retiring } = await replaced(1)
    await retiring
    expect(clients.usable).toBe(second)
    expect(second.openOne).not.toHaveBeenCalled()

    const other = await replaced()
    other.second.openOne.mockRejectedValue(new Error('no more connections'))
    await other.clock.advance(turnsMs / 2)
    await other.retiring
    expect(other.clients.usable).toBe(other.second)
  })

  it.each(['over', 'drained'] as const)('is left at once when its turns are %s', async (signal) => {
    const { clients, clock, second, retiring, ...signals } = await replaced()
    signals[signal].abort()
    await retiring
    expect(clients.usable).toBe(second)
    expect(clock.pending).toBe(0)
  })

  it('is left in the same breath when the server does not know its user', async () => {
    const { clients, first, second, retiring } = await replaced()
    clients.doubts(2)
    expect(clients.usable).toBe(first)
    clients.doubts(1)
    expect(clients.usable).toBe(second)
    expect(clients.isInForce(1)).toBe(false)
    await retiring
  })

  it('is left when the next cannot open one in the time', async () => {
    const { clients, clock, second, retiring } = await replaced()
    second.openOne.mockImplementation(
      (_server, signal) =>
        new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
    )
    await clock.advance(turnsMs)
    await retiring
    expect(clients.usable).toBe(second)
  })

  it('leaves room for those before it that are still there', async () => {
    const { clock, clients, publish, second, retiring, turns, drained } = await replaced()
    const first = [...clients.open][0]
    first?.retire.mockImplementation(() => new Promise(() => {}))
    drained.abort()
    await setImmediate()
    first?.has(2)
    second.has(5)
    publish(3)
    const third = await clients.current()
    void clients.retire(2, { ...terms, turns })
    await clock.advance(turnsMs)
    expect(third.connections().get(server)).toBe(3)
    expect(clients.usable).toBe(third)
    void retiring
  })

  it('does nothing while no credential may be used', async () => {
    const { clients, lease } = await replaced()
    lease.current = undefined
    expect(clients.usable).toBe(undefined)
  })

  it('is left when everything is closed', async () => {
    const { clients, clock, retiring } = await replaced()
    await clients.close()
    await retiring
    expect(clock.pending).toBe(0)
  })

  it('and its next together have room for the connection that proves a user, before that is opened', async () => {
    const { clock, clients, driver, first, second, retiring } = await replaced()
    second.has(5)
    let isLeft = (_retired: { closed: number; forced: number }): void => {}
    first.retire.mockImplementation(
      () =>
        new Promise((resolve) => {
          isLeft = resolve
        }),
    )
    const proving = clients.prove(new Credential(3, 'v-3', 'secret'), never)
    await clock.advance(100)
    expect(clients.usable).toBe(second)
    expect(driver).toHaveBeenCalledTimes(2)
    first.has(4)
    await clock.advance(10)
    expect(await proving).toBe('accepted')
    isLeft({ closed: 5, forced: 0 })
    await retiring
  })

  it('holds up no proof for long', async () => {
    const { clock, clients, first, second } = await replaced()
    second.has(5)
    first.retire.mockImplementation(() => new Promise(() => {}))
    const proving = clients.prove(new Credential(3, 'v-3', 'secret'), never)
    await clock.advance(2_000)
    expect(await proving).toBe('accepted')
  })

  it('lets the newest grow only where all together stay within two', async () => {
    const { clock, clients, first, second, publish } = await replaced()
    first.retire.mockImplementation(() => new Promise(() => {}))
    expect(clients.whenRoom(server, () => false)).toBe(undefined)
    publish(3)
    const third = await clients.current()
    first.has(1)
    second.has(5)
    third.has(4)
    const grown = vi.fn()
    void clients.whenRoom(server, () => false)?.then(grown)
    await clock.advance(100)
    expect(grown).not.toHaveBeenCalled()
    expect(await clients.whenRoom(server, () => true)).toBe(undefined)
    second.has(3)
    await clock.advance(10)
    expect(grown).toHaveBeenCalledOnce()
  })

  it('leaves the connection that proves a user its place while it is being opened', async () => {
    const slow = slowly()
    const open: Open = async (credential, signal) =>
      credential.generation === 3 ? await slow.open(credential, signal) : fakeClient(credential.username)
    const { clients, publish } = setUp(open)
    const first = await clients.current()
    publish(2)
    const second = await clients.current()
    first.has(5)
    second.has(4)
    expect(clients.whenRoom(server, () => false)).toBe(undefined)
    const proving = clients.prove(new Credential(3, 'v-3', 'secret'), never)
    await setImmediate()
    const grown = vi.fn()
    let isEnough = false
    void clients.whenRoom(server, () => isEnough)?.then(grown)
    await setImmediate()
    expect(grown).not.toHaveBeenCalled()
    isEnough = true
    await vi.waitFor(() => expect(grown).toHaveBeenCalledOnce())
    slow.letIn()
    expect(await proving).toBe('accepted')
  })
})

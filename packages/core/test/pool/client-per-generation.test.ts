import { setImmediate } from 'node:timers/promises'
import { describe, expect, it, vi } from 'vitest'
import { Credential } from '../../src/lease/credential.ts'
import { fakeClient, never, type Open, refusal, server, setUp, slowly, terms } from '../fake-clients.ts'

describe('a client for each generation', () => {
  it('is opened once, however many ask, and again for the next generation only', async () => {
    const { clients, driver, publish } = setUp()
    const [one, other] = await Promise.all([clients.current(), clients.current()])
    expect(one).toBe(other)
    expect(await clients.current()).toBe(one)
    expect(driver).toHaveBeenCalledTimes(1)
    publish(2)
    expect(clients.inForce).toBe(undefined)
    const next = await clients.current()
    expect(next.user).toBe('v-2')
    expect(clients.inForce).toBe(next)
    expect([...clients.open]).toEqual([one, next])
  })

  it('lets any number of operations wait for room, without a warning of Node', async () => {
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
    const { clients, publish } = setUp()
    const held = []
    for (const generation of [1, 2, 3]) {
      if (generation > 1) publish(generation)
      const client = await clients.current()
      client.has(4)
      held.push(client)
    }
    const waiting = Promise.all(Array.from({ length: 20 }, () => clients.whenRoom(server, () => false)))
    await setImmediate()
    expect(warned).not.toHaveBeenCalled()
    held[0]?.has(1)
    await waiting
    warned.mockRestore()
  })

  it('tells how the clients of all generations are used', async () => {
    const { clients, publish } = setUp()
    expect(clients.usage()).toEqual({ connections: [], load: { max: 0, idle: 0, waiting: 0 } })
    ;(await clients.current()).has(4)
    publish(2)
    await clients.current()
    expect(clients.usage()).toEqual({
      connections: [
        { generation: 1, open: 4 },
        { generation: 2, open: 1 },
      ],
      load: { max: 10, idle: 3, waiting: 4 },
    })
  })

  it('is not opened before there is a credential, which is waited for as long as the caller is told', async () => {
    const { clients, lease, driver, publish } = setUp()
    lease.current = undefined
    await expect(clients.current()).rejects.toMatchObject({ code: 'ERR_CREDENTIALS_UNAVAILABLE' })
    expect(lease.credential).toHaveBeenCalledExactlyOnceWith({ timeoutMs: 300 })
    expect(driver).not.toHaveBeenCalled()
    lease.credential.mockImplementationOnce(async () => publish(1))
    expect((await clients.current()).user).toBe('v-1')
  })

  it('stays open when it has proven its credential', async () => {
    const { clients, driver, publish, attach } = setUp()
    expect(attach).toHaveBeenCalledExactlyOnceWith(clients)
    await clients.prove(new Credential(2, 'v-2', 'secret'), never)
    publish(2)
    expect((await clients.current()).user).toBe('v-2')
    expect(driver).toHaveBeenCalledTimes(1)
  })

  it('is told when it takes over: once it is in force, and open', async () => {
    const { clients, opened, publish } = setUp()
    await clients.current()
    expect(opened[0]?.takeOver).toHaveBeenCalledTimes(1)
    await clients.prove(new Credential(2, 'v-2', 'secret'), never)
    expect(opened[1]?.takeOver).not.toHaveBeenCalled()
    clients.follow(publish(2))
    expect(opened[1]?.takeOver).toHaveBeenCalledTimes(1)
    clients.follow(publish(3))
    await clients.current()
    expect(opened.map(({ takeOver }) => takeOver.mock.calls.length)).toEqual([1, 1, 1])
  })

  it('is opened again and again, though nobody asks, where one was open and the next could not be', async () => {
    const { clients, driver, opened, publish } = setUp()
    clients.follow(publish(1))
    expect(driver).not.toHaveBeenCalled()
    await clients.current()
    driver.mockRejectedValueOnce(new Error('down'))
    clients.follow(publish(2))
    await vi.waitUntil(() => opened.length === 2)
    expect(opened[1]?.takeOver).toHaveBeenCalledTimes(1)
    driver.mockRejectedValue(new Error('down'))
    clients.follow(publish(3))
    await clients.close()
    await setImmediate()
    expect(driver).toHaveBeenCalledTimes(4)
  })

  it('that is in doubt is not asked: another one is, and closed again', async () => {
    const { clients, opened, lease } = setUp()
    const client = await clients.current()
    await clients.prove(lease.current as Credential, never)
    expect(opened).toHaveLength(2)
    expect(opened.map(({ close }) => close.mock.calls.length)).toEqual([0, 1])
    expect(await clients.current()).toBe(client)
  })

  it('logs new connections in with the newest password of its user', async () => {
    const { clients, logins, lease, opened } = setUp()
    await clients.current()
    const changed = new Credential(1, 'v-1', 'another')
    expect(await clients.prove(changed, never)).toBe('accepted')
    lease.current = undefined
    expect(logins[0]?.()).toBe(changed)
    const published = new Credential(1, 'v-1', 'a third')
    lease.current = published
    expect(logins[0]?.()).toBe(published)
    expect(opened.map(({ close }) => close.mock.calls.length)).toEqual([0, 1])
  })

  it.each([
    [refusal, true],
    [new Error('nobody is there'), false],
  ])('that cannot be opened proves nothing: %s', async (error, refused) => {
    const { clients, lease } = setUp(async () => Promise.reject(error))
    await expect(clients.prove(lease.current as Credential, never)).rejects.toMatchObject({
      code: 'ERR_CREDENTIAL_NOT_PROVEN',
      refused,
      cause: error,
    })
    await expect(clients.current()).rejects.toBe(error)
  })

  it('whose user is refused gives way to the one of a newer generation', async () => {
    const open: Open = async ({ generation, username }) =>
      generation === 1 ? Promise.reject(refusal) : fakeClient(username)
    const { clients, lease, publish } = setUp(open)
    lease.refused.mockImplementation(async () => Boolean(publish(2)))
    expect((await clients.current()).user).toBe('v-2')
    expect(lease.refused.mock.calls.map(([{ generation }]) => generation)).toEqual([1])
  })

  it('that could not be opened gives way to the one of a generation that has come since', async () => {
    const { clients, publish } = setUp(async ({ generation, username }) => {
      if (generation > 1) return fakeClient(username)
      publish(2)
      throw new Error('nobody is there')
    })
    expect((await clients.current()).user).toBe('v-2')
  })

  it('knows whether it is in force, once that is not in doubt', async () => {
    const { clients, lease, publish } = setUp()
    const first = lease.current as Credential
    expect(await clients.isInForce(first.generation)).toBe(true)
    expect(lease.credential).not.toHaveBeenCalled()
    lease.current = undefined
    lease.credential.mockImplementationOnce(async () => publish(2))
    expect(await clients.isInForce(first.generation)).toBe(false)
    lease.current = undefined
    expect(await clients.isInForce(first.generation)).toBe(false)
    expect(lease.credential).toHaveBeenCalledTimes(1)
  })

  it('is retired by its own means, and forgotten then, whatever came of it', async () => {
    const { clients, publish } = setUp()
    const first = await clients.current()
    expect(await clients.retire(7, terms)).toEqual({ closed: 0, forced: 0 })
    publish(2)
    const second = await clients.current()
    expect(await clients.retire(1, terms)).toEqual({ closed: 2, forced: 1 })
    expect(first.retire).toHaveBeenCalledExactlyOnceWith(terms)
    second.retire.mockRejectedValueOnce(new Error('no answer'))
    await expect(clients.retire(2, terms)).rejects.toThrow('no answer')
    expect([...clients.open]).toEqual([])
  })

  it('that is retired while it is being opened is closed as soon as it is open, and who waits has the next', async () => {
    const { open, letIn } = slowly()
    const { clients, opened, publish } = setUp(open)
    const asked = clients.current()
    await setImmediate()
    publish(2)
    let retired = false
    const retiring = clients.retire(1, terms).then((counts) => {
      retired = true
      return counts
    })
    await setImmediate()
    expect(retired).toBe(false)
    letIn()
    expect(await retiring).toEqual({ closed: 0, forced: 0 })
    expect(opened[0]?.close).toHaveBeenCalledOnce()
    expect([...clients.open]).toEqual([])
    await setImmediate()
    letIn()
    expect((await asked).user).toBe('v-2')
    expect([...clients.open].map(({ user }) => user)).toEqual(['v-2'])
  })

  it('that a driver does not give up to open holds up no retirement, and is closed some time', async () => {
    const { open, letIn } = slowly()
    const { clients, opened, lease } = setUp(open)
    const proven = clients.prove(lease.current as Credential, never).catch((error: unknown) => error)
    const began = performance.now()
    await clients.retire(1, { ...terms, signal: AbortSignal.abort() })
    expect(performance.now() - began).toBeLessThan(5_000)
    letIn()
    expect(await proven).toMatchObject({ code: 'ERR_CREDENTIAL_NOT_PROVEN', refused: false })
    expect(opened[0]?.close).toHaveBeenCalledOnce()
  })

  it('that is given up with its proof is opened anew for who asks then', async () => {
    const { open, letIn } = slowly()
    const { clients, lease, driver } = setUp(open)
    const stop = new AbortController()
    const proven = clients.prove(lease.current as Credential, stop.signal).catch((error: unknown) => error)
    stop.abort(new Error('no time left'))
    const asked = clients.current()
    await setImmediate()
    expect(driver.mock.calls.map(([, signal]) => signal.aborted)).toEqual([true, false])
    letIn()
    letIn()
    expect(await proven).toMatchObject({ cause: new Error('no time left') })
    expect(await asked).toBe(clients.inForce)
  })

  it('is closed with all others, also one that is being opened, and there is none any more', async () => {
    const { open, letIn } = slowly()
    const { clients, opened, publish } = setUp(open)
    const first = clients.current()
    await setImmediate()
    letIn()
    await first
    publish(2)
    const second = clients.current().catch((error: unknown) => error)
    await setImmediate()
    const closing = clients.close()
    letIn()
    await closing
    expect(opened.map(({ close }) => close.mock.calls.length)).toEqual([1, 1])
    expect(await second).toMatchObject({ code: 'ERR_LEASE_CLOSED' })
    await expect(clients.current()).rejects.toMatchObject({ code: 'ERR_LEASE_CLOSED' })
    await expect(clients.prove(publish(3), never)).rejects.toMatchObject({ code: 'ERR_LEASE_CLOSED' })
    expect(opened).toHaveLength(2)
  })
})

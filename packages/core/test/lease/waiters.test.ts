import { getEventListeners } from 'node:events'
import { setImmediate } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { Waiters } from '../../src/lease/waiters.ts'

describe('those who wait for a change', () => {
  it('are let go by what happens first, and leave no listener behind', async () => {
    const { signal } = new AbortController()
    const waiters = new Waiters()
    await waiters.change(signal, Promise.resolve())
    expect(getEventListeners(signal, 'abort')).toEqual([])

    const woken = waiters.change(signal, new Promise(() => {}))
    waiters.wake()
    await woken
    expect(getEventListeners(signal, 'abort')).toEqual([])
  })

  it('hear of what fails before anything has changed, and of nothing that fails afterwards', async () => {
    const { signal } = new AbortController()
    const waiters = new Waiters()
    await expect(waiters.change(signal, Promise.reject(new Error('no lease')))).rejects.toThrow('no lease')

    const pending = setImmediate().then(() => {
      throw new Error('too late')
    })
    const woken = waiters.change(signal, pending)
    waiters.wake()
    await woken
    await pending.catch(() => {})
    expect(getEventListeners(signal, 'abort')).toEqual([])
  })
})

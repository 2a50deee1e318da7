import { describe, expect, it, vi } from 'vitest'
import { stoppable } from '../../src/resilience/stoppable.ts'

describe('stoppable work', () => {
  it('begins at once and gives its result, and is not stopped afterwards', async () => {
    const controller = new AbortController()
    const stop = vi.fn()
    const work = vi.fn(async () => 3)
    const working = stoppable(controller.signal, stop, work)
    expect(work).toHaveBeenCalledOnce()
    expect(await working).toBe(3)
    controller.abort()
    expect(stop).not.toHaveBeenCalled()
  })

  it('is stopped with the reason of the signal', async () => {
    const controller = new AbortController()
    let fail = (_reason: Error): void => {}
    const work = (): Promise<never> =>
      new Promise((_resolve, reject) => {
        fail = reject
      })
    const failed = expect(stoppable(controller.signal, (reason) => fail(reason), work)).rejects.toThrow(
      'too slow',
    )
    controller.abort(new Error('too slow'))
    await failed
  })

  it('is stopped with an error when the reason is none', () => {
    const controller = new AbortController()
    const stop = vi.fn()
    void stoppable(controller.signal, stop, () => new Promise(() => {}))
    controller.abort('enough')
    expect(stop).toHaveBeenCalledExactlyOnceWith(new Error('enough'))
  })

  it('does not begin once the signal is aborted', async () => {
    const work = vi.fn()
    const stopped = stoppable(AbortSignal.abort(new Error('over')), vi.fn(), work)
    await expect(stopped).rejects.toThrow('over')
    expect(work).not.toHaveBeenCalled()
  })
})

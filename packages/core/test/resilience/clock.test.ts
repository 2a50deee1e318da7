import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { deadlineAfter, sleep, systemClock } from '../../src/resilience/clock.ts'
import { ManualClock } from '../manual-clock.ts'

const day = 86_400_000

describe('the system clock', () => {
  afterEach(() => void vi.useRealTimers())

  it.each([
    ['32 days', 32 * day],
    ['100 days', 100 * day],
  ])('waits the whole of %s, which setTimeout cannot', async (_name, ms) => {
    vi.useFakeTimers()
    const wake = vi.fn()
    systemClock.schedule(ms, wake)
    await vi.advanceTimersByTimeAsync(ms - 1)
    expect(wake).not.toHaveBeenCalled()
    await vi.advanceTimersByTimeAsync(1)
    expect(wake).toHaveBeenCalledOnce()
  })

  it.each([Number.POSITIVE_INFINITY, 2 ** 31])('does not fire at once for %d', async (ms) => {
    const wake = vi.fn()
    const cancel = systemClock.schedule(ms, wake)
    await new Promise((resolve) => setTimeout(resolve, 50))
    cancel()
    expect(wake).not.toHaveBeenCalled()
  })

  it('can be cancelled in each of its stretches, and takes a past time as now', async () => {
    vi.useFakeTimers()
    const wake = vi.fn()
    const cancel = systemClock.schedule(60 * day, wake)
    await vi.advanceTimersByTimeAsync(40 * day)
    cancel()
    await vi.advanceTimersByTimeAsync(40 * day)
    expect(wake).not.toHaveBeenCalled()
    systemClock.schedule(-5, wake)
    await vi.advanceTimersByTimeAsync(1)
    expect(wake).toHaveBeenCalledOnce()
  })

  it.each([
    ['first', -1],
    ['second', 0],
  ])('keeps no process alive in its %s stretch', (_name, skipped) => {
    const module = fileURLToPath(new URL('../../src/resilience/clock.ts', import.meta.url))
    const program = `import { systemClock } from ${JSON.stringify(module)}
      const real = globalThis.setTimeout
      let stretches = 0
      globalThis.setTimeout = (run, ms) => real(run, stretches++ === ${skipped} ? 1 : ms)
      systemClock.schedule(${100 * day}, () => {})
      real(() => {}, 100)`
    const { status, signal, stderr } = spawnSync(
      process.execPath,
      ['--import', 'tsx', '--input-type=module', '-e', program],
      { timeout: 30_000, cwd: fileURLToPath(new URL('../../../..', import.meta.url)) },
    )
    expect({ status, signal, stderr: String(stderr) }).toEqual({ status: 0, signal: null, stderr: '' })
  })
})

describe('sleep and deadlineAfter', () => {
  it('sleep ends with the signal, and leaves no timer', async () => {
    const clock = new ManualClock()
    const stop = new AbortController()
    const sleeping = expect(sleep(clock, 1_000, stop.signal)).rejects.toThrow('enough')
    stop.abort(new Error('enough'))
    await sleeping
    expect(clock.pending).toBe(0)
    await expect(sleep(clock, 1_000, stop.signal)).rejects.toThrow('enough')
  })

  it('a deadline aborts in time, or with its parent, and disposes of its timer', async () => {
    const clock = new ManualClock()
    const alone = deadlineAfter(clock, 1_000, () => new Error('too late'))
    await clock.advance(999)
    expect(alone.signal.aborted).toBe(false)
    await clock.advance(1)
    expect(alone.signal.reason).toMatchObject({ message: 'too late' })
    const parent = new AbortController()
    const child = deadlineAfter(clock, 1_000, () => new Error('too late'), parent.signal)
    parent.abort(new Error('stop'))
    expect(child.signal.reason).toMatchObject({ message: 'stop' })
    child[Symbol.dispose]()
    expect(clock.pending).toBe(0)
    const late = deadlineAfter(clock, 1_000, () => new Error('too late'), parent.signal)
    expect(late.signal.reason).toMatchObject({ message: 'stop' })
    late[Symbol.dispose]()
  })
})

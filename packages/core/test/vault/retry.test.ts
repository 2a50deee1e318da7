import { describe, expect, it } from 'vitest'
import { VaultError } from '../../src/vault/errors.ts'
import { withRetry } from '../../src/vault/retry.ts'
import { ManualClock } from '../manual-clock.ts'
import { rejection } from '../secrets.ts'

const failure = (retryable: boolean, retryAfterMs?: number) =>
  new VaultError('no', { code: 'ERR_VAULT_SERVER', retryable, retryAfterMs })

/** Fails with each error in turn, and notes when it was asked. */
function setUp(errors: readonly Error[], signal?: AbortSignal) {
  const clock = new ManualClock()
  const askedAt: number[] = []
  const outcome = withRetry(
    async () => {
      const error = errors[askedAt.length]
      askedAt.push(clock.now())
      if (error) throw error
      return 'done'
    },
    { retries: 2, clock, random: () => 1, signal },
  )
  return { clock, askedAt, outcome }
}

describe('withRetry', () => {
  it('tries again what can succeed later, with a growing pause', async () => {
    const { clock, askedAt, outcome } = setUp([failure(true), failure(true)])
    await clock.advance(1_000)
    expect(await outcome).toBe('done')
    expect(askedAt).toEqual([0, 200, 600])
  })

  it('gives up after the last attempt without a pause, with its error', async () => {
    const last = failure(true)
    const { clock, askedAt, outcome } = setUp([failure(true), failure(true), last])
    const error = rejection(outcome)
    await clock.advance(600)
    expect(await error).toBe(last)
    expect(askedAt).toHaveLength(3)
    expect(clock.pending).toBe(0)
  })

  it.each([failure(false), new Error('a bug'), new TypeError('fetch failed')])(
    'does not repeat %s',
    async (error) => {
      const { askedAt, outcome } = setUp([error])
      expect(await rejection(outcome)).toBe(error)
      expect(askedAt).toHaveLength(1)
    },
  )

  it('waits as long as the server asks', async () => {
    const { clock, askedAt, outcome } = setUp([failure(true, 3_000)])
    await clock.advance(3_000)
    expect(await outcome).toBe('done')
    expect(askedAt).toEqual([0, 3_000])
  })

  it('leaves a long wait to the caller', async () => {
    const long = failure(true, 3_600_000)
    const { askedAt, outcome } = setUp([long])
    expect(await rejection(outcome)).toBe(long)
    expect(askedAt).toHaveLength(1)
  })

  it('stops waiting at once when it is aborted, with the last failure, and leaves no timer', async () => {
    const stop = new AbortController()
    const { clock, askedAt, outcome } = setUp([failure(true, 3_000)], stop.signal)
    const error = rejection(outcome)
    await clock.advance(1_000)
    stop.abort(new Error('enough'))
    expect(await error).toMatchObject({ retryAfterMs: 3_000 })
    expect(askedAt).toHaveLength(1)
    expect(clock.pending).toBe(0)
  })

  it('sends nothing for somebody who has given up already', async () => {
    const reason = new Error('enough')
    const { askedAt, outcome } = setUp([], AbortSignal.abort(reason))
    expect(await rejection(outcome)).toBe(reason)
    expect(askedAt).toEqual([])
  })
})

import { setImmediate } from 'node:timers/promises'
import { describe, expect, it, vi } from 'vitest'
import { ConnectionRetiredError, CredentialsUnavailableError } from '../../src/errors.ts'
import { Credential } from '../../src/lease/credential.ts'
import { Checkout, type CheckoutHooks } from '../../src/pool/checkout.ts'

const refused = new Error('refused')

/** A pool of numbered connections, on a lease whose credential a test takes away. */
function setUp(hooks: Partial<CheckoutHooks<number>> = {}) {
  let opened = 0
  const lease = {
    current: new Credential(1, 'v-1', 'secret') as Credential | undefined,
    get generation() {
      return lease.current?.generation ?? 0
    },
    credential: vi.fn(async () => {
      if (!lease.current) throw new CredentialsUnavailableError('none now')
      return lease.current
    }),
  }
  const pool: CheckoutHooks<number> = {
    take: (done) => done(undefined, ++opened),
    hasIdle: () => false,
    giveBack: vi.fn(),
    isStale: () => false,
    closeStale: vi.fn(),
    worthConnectingAgain: async () => false,
    patienceMs: () => undefined,
    ...hooks,
  }
  const checkout = new Checkout(lease, pool)
  const acquire = (): Promise<number> =>
    new Promise((resolve, reject) => {
      checkout.acquire((error, taken) => (taken === undefined ? reject(error) : resolve(taken)))
    })
  return { lease, pool, checkout, acquire }
}

describe.each([
  ['has to be opened', false],
  ['is idle', true],
])('the checkout of a connection that %s', (_how, isIdle) => {
  const hasIdle = (): boolean => isIdle

  it('closes what is stale and takes another', async () => {
    const { pool, acquire } = setUp({ hasIdle, isStale: (connection) => connection < 3 })
    expect(await acquire()).toBe(3)
    expect(vi.mocked(pool.closeStale).mock.calls).toEqual([[1], [2]])
  })

  it('gives back what comes when the credential has just gone, and tells why there is none', async () => {
    const { lease, pool, acquire } = setUp({
      hasIdle,
      take(done) {
        lease.current = undefined
        done(undefined, 1)
      },
    })
    await expect(acquire()).rejects.toBeInstanceOf(CredentialsUnavailableError)
    expect(pool.giveBack).toHaveBeenCalledExactlyOnceWith(1)
  })

  it('has ended when the last one has got an answer', async () => {
    const waiting: Parameters<CheckoutHooks<number>['take']>[0][] = []
    const { checkout, acquire } = setUp({ hasIdle, take: (done) => void waiting.push(done) })
    const both = Promise.all([acquire(), acquire()])
    let ended = false
    const ending = checkout
      .end(1_000, () => new Error('ended'))
      .then(() => {
        ended = true
      })
    waiting.shift()?.(undefined, 1)
    await setImmediate()
    expect(ended).toBe(false)
    waiting.shift()?.(undefined, 2)
    await setImmediate()
    expect(ended).toBe(true)
    await ending
    expect(await both).toEqual([1, 2])
  })

  it('is told only once, when who asks throws at what is told', async () => {
    const { checkout, pool } = setUp({ hasIdle })
    const done = vi.fn(() => {
      throw new Error('of the caller')
    })
    try {
      checkout.acquire(done)
    } catch (error) {
      expect(error).toMatchObject({ message: 'of the caller' })
    }
    expect(done).toHaveBeenCalledExactlyOnceWith(undefined, 1)
    expect(pool.giveBack).not.toHaveBeenCalled()
    await checkout.end(1_000, () => new Error('ended'))
  })

  it('fails with what taking it throws', async () => {
    const { acquire } = setUp({
      hasIdle,
      take() {
        throw refused
      },
    })
    await expect(acquire()).rejects.toBe(refused)
  })
})

describe('the checkout', () => {
  it('waits for a credential before it takes anything', async () => {
    const take = vi.fn()
    const { lease, acquire } = setUp({ take })
    lease.current = undefined
    await expect(acquire()).rejects.toThrow('none now')
    expect(take).not.toHaveBeenCalled()
  })

  it('connects once more when the credential was refused and there is another, and not again', async () => {
    const take = vi.fn<CheckoutHooks<number>['take']>((done) => done(refused, undefined))
    const { acquire } = setUp({ take, worthConnectingAgain: async (error) => error === refused })
    await expect(acquire()).rejects.toBe(refused)
    expect(take).toHaveBeenCalledTimes(2)
  })

  it('ends in time, answers whoever waits even then, and takes back what comes too late', async () => {
    const waiting: Parameters<CheckoutHooks<number>['take']>[0][] = []
    const { checkout, acquire, pool } = setUp({ take: (done) => void waiting.push(done) })
    const acquired = expect(acquire()).rejects.toThrow('ended')
    await checkout.end(20, () => new Error('ended'))
    await acquired
    waiting.shift()?.(undefined, 1)
    expect(pool.giveBack).toHaveBeenCalledExactlyOnceWith(1)
  })

  it('has one patience for everything that an acquire has to wait for', async () => {
    const waits: unknown[] = []
    const { acquire } = setUp({
      patienceMs: () => 500,
      tooLate: () => new Error('too late'),
      take: (done) => setTimeout(done, 300, refused, undefined),
      async worthConnectingAgain(_error, wait) {
        waits.push(wait.timeoutMs)
        return true
      },
    })
    const began = performance.now()
    await expect(acquire()).rejects.toThrow('too late')
    expect(performance.now() - began).toBeLessThan(775)
    expect(waits).toHaveLength(1)
    expect(waits[0]).toBeLessThanOrEqual(225)
  })

  it('takes another when a connection was retired before anybody could use it', async () => {
    const take = vi
      .fn<CheckoutHooks<number>['take']>((done) => done(undefined, 2))
      .mockImplementationOnce((done) => done(new ConnectionRetiredError('over'), undefined))
    const { acquire } = setUp({ take })
    expect(await acquire()).toBe(2)
  })
})

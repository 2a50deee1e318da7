import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Action, deadlineOf, type Facts, nextAction, noFailures } from '../../src/lease/schedule.ts'
import { endlessLease, finalLease, issuedLease, type Lease, renewedLease } from '../../src/source/lease.ts'
import type { TokenFacts } from '../../src/vault/token.ts'

const second = 1_000
const grant = (sentAt: number, durationMs: number, renewable = true) => ({ sentAt, durationMs, renewable })
const lease = issuedLease('database/creds/app/1', grant(0, 90 * second))
const token = (end: number, facts: Partial<TokenFacts> = {}): TokenFacts => ({
  issuedAt: 0,
  end,
  renewable: true,
  replaceable: true,
  ...facts,
})
const facts = (given: Partial<Facts>): Facts => ({
  now: 0,
  lease,
  jitter: 0,
  leaseFailures: noFailures,
  tokenFailures: noFailures,
  ...given,
})

describe('nextAction', () => {
  const table: [string, Partial<Facts>, Action][] = [
    [
      'without a lease, a rotation at once',
      { lease: undefined, now: 5 },
      { do: 'rotate', at: 5, reason: 'start' },
    ],
    ['a renewal at two thirds of what remains', {}, { do: 'renew', at: 60 * second }],
    ['… ten per cent later', { jitter: 1 }, { do: 'renew', at: 66 * second }],
    ['… ten per cent earlier', { jitter: -1 }, { do: 'renew', at: 54 * second }],
    [
      'a renewed lease counts from its renewal',
      { now: 60 * second, lease: renewedLease(lease, grant(60 * second, 90 * second)) },
      { do: 'renew', at: 120 * second },
    ],
    [
      'a renewal granted shorter than asked: rotate now',
      { now: 61 * second, lease: renewedLease(lease, grant(60 * second, 30 * second)) },
      { do: 'rotate', at: 61 * second, reason: 'max-ttl' },
    ],
    [
      'a lease that Vault refuses to renew: rotate now',
      { now: 61 * second, lease: finalLease(lease) },
      { do: 'rotate', at: 61 * second, reason: 'max-ttl' },
    ],
    [
      'a lease that is not renewable: rotate at two thirds',
      { lease: issuedLease('x', grant(0, 90 * second, false)) },
      { do: 'rotate', at: 60 * second, reason: 'age' },
    ],
    [
      'a lease that lives for a moment only is over before it is replaced',
      { lease: issuedLease('x', grant(0, 0.001, false)) },
      { do: 'expire', at: 0.001 },
    ],
    [
      'a token that ends sooner is renewed sooner',
      { token: token(30 * second) },
      { do: 'renew-token', at: 20 * second },
    ],
    [
      'a token that cannot be renewed and ends sooner: rotate under a new one',
      { token: token(30 * second, { renewable: false }) },
      { do: 'rotate', at: 20 * second, reason: 'token' },
    ],
    [
      'a token that cannot be replaced does not make rotations that would not help',
      { token: token(80 * second, { renewable: false, replaceable: false }) },
      { do: 'renew', at: 60 * second },
    ],
    [
      '… but another is looked for, two thirds of the way from the last look',
      { token: token(30 * second, { renewable: false, replaceable: false, lastLookAt: 18 * second }) },
      { do: 'renew-token', at: 26 * second },
    ],
    [
      '… and not in a hot loop near its end',
      { token: token(30 * second, { renewable: false, replaceable: false, lastLookAt: 29.9 * second }) },
      { do: 'expire', at: 30 * second },
    ],
    [
      'a failed renewal is tried again soon',
      { now: 60 * second, leaseFailures: { count: 1, lastAt: 60 * second } },
      { do: 'renew', at: 60.25 * second },
    ],
    [
      'renewals that keep failing give way to a rotation',
      { now: 80 * second, leaseFailures: { count: 9, lastAt: 80 * second } },
      { do: 'rotate', at: 82.5 * second, reason: 'renewal-failed' },
    ],
    [
      'Retry-After is waited for',
      { now: 60 * second, leaseFailures: { count: 1, lastAt: 60 * second, retryAfterMs: 4 * second } },
      { do: 'renew', at: 64 * second },
    ],
    [
      '… but not until the credential is lost: it is asked for once more before',
      { now: 60 * second, leaseFailures: { count: 1, lastAt: 60 * second, retryAfterMs: 59 * second } },
      { do: 'rotate', at: 82.5 * second, reason: 'renewal-failed' },
    ],
    [
      'who cannot be sure of the lease has it renewed at once',
      { now: 10 * second, unsure: true },
      { do: 'renew', at: 10 * second },
    ],
    [
      '… or replaced, when nothing can extend it',
      { now: 10 * second, unsure: true, lease: { ...lease, extendable: false } },
      { do: 'rotate', at: 10 * second, reason: 'wake-up' },
    ],
    [
      'who cannot be sure of the token asks for it at once, when the lease was asked for',
      { now: 10 * second, token: token(3_600 * second, { renewable: false }), tokenUnsure: true },
      { do: 'renew-token', at: 10 * second },
    ],
    [
      '… with pauses, when that fails',
      {
        now: 10 * second,
        token: token(3_600 * second),
        tokenUnsure: true,
        tokenFailures: { count: 1, lastAt: 10 * second },
      },
      { do: 'renew-token', at: 10.25 * second },
    ],
    [
      'a token that a renewal has left as it was is not renewed again at once',
      { now: 28 * second, token: token(30 * second), tokenRenewedAt: 28 * second },
      { do: 'renew-token', at: 28.25 * second },
    ],
    [
      'a source that alone knows of changes is looked at when it says so',
      { now: 10 * second, lease: endlessLease({ readAt: 0, lookAt: 12 * second }) },
      { do: 'look', at: 12 * second },
    ],
    [
      '… and at once by who cannot be sure',
      { now: 10 * second, unsure: true, lease: endlessLease({ readAt: 0, lookAt: 12 * second }) },
      { do: 'look', at: 10 * second },
    ],
    [
      'a credential that outlives the token waits for its own time',
      {
        now: 10 * second,
        lease: endlessLease({ readAt: 0, lookAt: 90 * second }),
        token: { issuedAt: 0, end: 20 * second, renewable: false, replaceable: true },
      },
      { do: 'look', at: 90 * second },
    ],
    [
      '… while the token is kept alive',
      {
        now: 10 * second,
        lease: endlessLease({ readAt: 0, lookAt: 90 * second }),
        token: { issuedAt: 0, end: 30 * second, renewable: true, replaceable: true },
      },
      { do: 'renew-token', at: 20 * second },
    ],
    [
      'a credential of a function is replaced when two thirds of its life are over',
      { now: 10 * second, lease: endlessLease({ readAt: 0, end: 90 * second }) },
      { do: 'rotate', at: 60 * second, reason: 'age' },
    ],
    ['at its end the credential expires', { now: 90 * second }, { do: 'expire', at: 90 * second }],
    [
      'a forced rotation waits for its gap',
      { now: 10 * second, forced: { reason: 'refused', notBefore: 11 * second } },
      { do: 'rotate', at: 11 * second, reason: 'refused' },
    ],
  ]
  it.each(table)('%s', (_name, given, action) => {
    expect(nextAction(facts(given))).toEqual(action)
  })
})

describe('for any TTL, max TTL and token life', () => {
  const seconds = (max: number) => fc.integer({ min: 1, max }).map((value) => value * second)
  const world = fc.record({
    ttl: seconds(768 * 3_600),
    maxTtl: seconds(768 * 3_600),
    tokenTtl: fc.option(seconds(768 * 3_600), { nil: undefined }),
    tokenRenewable: fc.boolean(),
    tokenReplaceable: fc.boolean(),
    leaseRenewable: fc.boolean(),
    /** Whether each attempt, in turn, succeeds. */
    outcomes: fc.array(fc.boolean(), { minLength: 1, maxLength: 20 }),
    jitters: fc.array(fc.double({ min: -1, max: 1, noNaN: true }), { minLength: 1, maxLength: 20 }),
  })

  it('the next action is never in the past in a loop, and never after the deadline', () => {
    fc.assert(
      fc.property(world, (given) => {
        for (const { facts: before, action } of live(given, 200)) {
          expect(action.at).toBeGreaterThanOrEqual(before.now)
          if (before.lease)
            expect(action.at).toBeLessThanOrEqual(
              Math.max(before.now, deadlineOf(before.lease, before.token)),
            )
        }
      }),
      { numRuns: 500 },
    )
  })

  it('no loop is hot: a hundred actions take at least a fifth of a second each on average', () => {
    fc.assert(
      fc.property(world, (given) => {
        const steps = [...live(given, 300)]
        const attempts = steps.filter(({ action }) => action.do !== 'expire')
        const last = attempts.at(-1)?.action.at ?? 0
        expect(last / attempts.length).toBeGreaterThan(90)
      }),
      { numRuns: 500 },
    )
  })

  it('a thousand managers started in the same second do not act in the same second', () => {
    const hour = issuedLease('x', grant(0, 3_600 * second))
    const bySecond = new Map<number, number>()
    for (let manager = 0; manager < 1_000; manager++) {
      const { at } = nextAction(facts({ lease: hour, jitter: Math.random() * 2 - 1 }))
      const bucket = Math.floor(at / second)
      bySecond.set(bucket, (bySecond.get(bucket) ?? 0) + 1)
    }
    expect(Math.max(...bySecond.values())).toBeLessThan(30)
    expect(bySecond.size).toBeGreaterThan(300)
  })
})

interface World {
  readonly ttl: number
  readonly maxTtl: number
  readonly tokenTtl: number | undefined
  readonly tokenRenewable: boolean
  readonly tokenReplaceable: boolean
  readonly leaseRenewable: boolean
  readonly outcomes: readonly boolean[]
  readonly jitters: readonly number[]
}

/** Lives through a number of actions as the manager would, each attempt taking 10 ms. */
function* live(world: World, actions: number): Generator<{ facts: Facts; action: Action }> {
  const pick = <T>(list: readonly T[], index: number): T => list[index % list.length] as T
  const newToken = (now: number): TokenFacts | undefined =>
    world.tokenTtl === undefined
      ? undefined
      : token(now + world.tokenTtl, {
          issuedAt: now,
          renewable: world.tokenRenewable,
          replaceable: world.tokenReplaceable,
        })
  const newLease = (now: number): Lease =>
    issuedLease('x', grant(now, Math.min(world.ttl, world.maxTtl), world.leaseRenewable))
  let current: Facts = facts({ now: 0, lease: undefined, token: newToken(0), jitter: pick(world.jitters, 0) })
  for (let index = 0; index < actions; index++) {
    const action = nextAction(current)
    yield { facts: current, action }
    const now = Math.max(current.now, action.at)
    const later = { ...current, now: now + 10, jitter: pick(world.jitters, index) }
    const failed = !pick(world.outcomes, index)
    const failures = (before: Facts['leaseFailures']) => ({ count: before.count + 1, lastAt: now + 10 })
    if (action.do === 'expire') {
      current = { ...later, now, lease: undefined, token: newToken(now) }
    } else if (action.do === 'renew-token') {
      current = failed
        ? { ...later, tokenFailures: failures(current.tokenFailures) }
        : { ...later, tokenFailures: noFailures, token: newToken(now) }
    } else if (failed) {
      current = { ...later, leaseFailures: failures(current.leaseFailures) }
    } else if (action.do === 'rotate') {
      current = { ...later, lease: newLease(now), token: newToken(now), leaseFailures: noFailures }
    } else {
      const { lease: old } = current
      if (!old) throw new Error('a renewal without a lease')
      const durationMs = Math.min(world.ttl, old.issuedAt + world.maxTtl - now)
      current = { ...later, lease: renewedLease(old, grant(now, durationMs)), leaseFailures: noFailures }
    }
  }
}

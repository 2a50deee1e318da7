import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { VaultLeaseError } from '../../src/errors.ts'
import { attach, type LeaseManager } from '../../src/lease/manager.ts'
import { dynamicRole } from '../../src/source/dynamic-role.ts'
import { staticRole } from '../../src/source/static-role.ts'
import { appRole } from '../../src/vault/auth/approle.ts'
import { CircuitBreaker } from '../../src/vault/circuit-breaker.ts'
import { VaultError } from '../../src/vault/errors.ts'
import type { Wire, WireAnswer, WireRequest } from '../../src/vault/transport.ts'
import { VaultServer } from '../../src/vault/vault-server.ts'
import { managerOf, quietConsumer } from '../manager-of.ts'
import { ManualClock } from '../manual-clock.ts'

const second = 1_000
const hour = 3_600 * second

/** What a field can be that should be a number of seconds. */
const duration = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(1, 5, 60, 3_600) },
  { weight: 3, arbitrary: fc.constantFrom(0, -1, 0.001, 1e-9, 2_764_800, 1e15, Number.MAX_VALUE) },
  { weight: 1, arbitrary: fc.jsonValue() },
)
const text = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('a', 'b', 'c') },
  { weight: 1, arbitrary: fc.constantFrom('', null, 7) },
  { weight: 1, arbitrary: fc.jsonValue() },
)
const flag = fc.oneof({ weight: 5, arbitrary: fc.boolean() }, { weight: 1, arbitrary: fc.jsonValue() })
const seconds = (names: readonly string[]) => Object.fromEntries(names.map((name) => [name, duration]))

/** An answer of nearly the right shape: fields are missing, or of a wrong type. */
const nearly = fc.record(
  {
    lease_id: text,
    lease_duration: duration,
    renewable: flag,
    data: fc.oneof(
      {
        weight: 5,
        arbitrary: fc.record(
          { username: text, password: text, ...seconds(['ttl', 'rotation_period']) },
          { requiredKeys: [] },
        ),
      },
      { weight: 1, arbitrary: fc.jsonValue() },
    ),
    auth: fc.oneof(
      {
        weight: 5,
        arbitrary: fc.record(
          { client_token: text, lease_duration: duration, renewable: flag, num_uses: duration },
          { requiredKeys: [] },
        ),
      },
      { weight: 1, arbitrary: fc.jsonValue() },
    ),
  },
  { requiredKeys: [] },
)

const failure = fc.record({
  status: fc.constantFrom(400, 403, 404, 412, 429, 472, 473, 500, 502, 503),
  messages: fc.subarray([
    'lease not found',
    'permission denied',
    'is not renewable',
    'internal error',
    'Vault is sealed',
  ]),
  retryable: fc.boolean(),
  retryAfterMs: fc.constantFrom(undefined, 0, 1, 1e12),
})

type Step =
  | { readonly body: unknown; readonly cache: WireAnswer['cache'] }
  | {
      readonly refused: {
        readonly status: number
        readonly messages: readonly string[]
        readonly retryable: boolean
        readonly retryAfterMs: number | undefined
      }
    }

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      body: fc.oneof({ weight: 5, arbitrary: nearly }, { weight: 1, arbitrary: fc.jsonValue() }),
      cache: fc.constantFrom<WireAnswer['cache']>(undefined, undefined, undefined, 'hit', 'miss'),
    }),
  },
  { weight: 2, arbitrary: fc.record({ refused: failure }) },
)

/** A server that gives one answer after another, and begins again when it has given the last. */
class Answers implements Wire {
  readonly askedAt: number[] = []
  readonly #clock: ManualClock
  readonly #steps: readonly Step[]

  constructor(clock: ManualClock, steps: readonly Step[]) {
    this.#clock = clock
    this.#steps = steps
  }

  async send({ path, signal }: WireRequest): Promise<WireAnswer> {
    signal?.throwIfAborted()
    const next = this.#steps[this.askedAt.length % this.#steps.length] as Step
    this.askedAt.push(this.#clock.now())
    if ('refused' in next) {
      throw new VaultError(`${next.refused.status} to ${path}`, { code: 'ERR_VAULT_SERVER', ...next.refused })
    }
    return { body: next.body, cache: next.cache, sentAt: this.#clock.now(), ageMs: 0 }
  }

  async close(): Promise<void> {}

  /** The most requests within one second. */
  get busiestSecond(): number {
    let from = 0
    return this.askedAt.reduce((most, at, to) => {
      while ((this.askedAt[from] as number) <= at - second) from++
      return Math.max(most, to - from + 1)
    }, 0)
  }
}

function leaseOn(answers: Answers, clock: ManualClock, make: typeof staticRole): LeaseManager {
  const vault = new VaultServer({
    address: 'http://vault',
    namespace: undefined,
    transport: answers,
    auth: appRole({ roleId: 'r', secretId: 's' }),
    maxRetries: 2,
    circuit: new CircuitBreaker({ failures: 5, pauseMs: 30 * second }, clock),
    clock,
    random: () => 0.5,
  })
  const source = make(
    { open: () => vault, mount: 'database', name: 'app', close: () => vault.close() },
    () => 0.5,
  )
  return managerOf({ source, clock, random: () => 0.5, drainTimeoutMs: 60 * second })
}

describe('whatever the server answers', () => {
  const unhandled: unknown[] = []
  const note = (reason: unknown): void => void unhandled.push(reason)
  beforeAll(() => {
    process.on('unhandledRejection', note)
    process.on('uncaughtException', note)
  })
  afterAll(() => {
    process.off('unhandledRejection', note)
    process.off('uncaughtException', note)
  })

  it.each([
    ['a dynamic role', dynamicRole],
    ['a static role', staticRole],
  ])('%s neither crashes, nor asks without a pause, nor leaves anything behind', async (_name, make) => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 8 }), async (steps) => {
        const clock = new ManualClock()
        const answers = new Answers(clock, steps)
        const lease = leaseOn(answers, clock, make)
        attach(lease, quietConsumer())
        const first = lease.ready().catch((error: unknown) => error)
        // Long enough for every backoff to have grown as far as it does.
        await clock.advance(0.2 * hour)
        expect([undefined, expect.any(VaultLeaseError)]).toContainEqual(await first)
        const { length } = answers.askedAt
        expect(answers.busiestSecond).toBeLessThanOrEqual(40)
        expect(length).toBeLessThan(12_000)
        expect(() => lease.status()).not.toThrow()
        const closed = lease.close()
        await clock.advance(60 * second)
        await closed
        expect(clock.pending).toBe(0)
        await clock.advance(24 * hour)
        expect(answers.askedAt.length - length).toBeLessThan(60)
      }),
      { numRuns: 60 },
    )
    expect(unhandled).toEqual([])
  })
})

import { setImmediate } from 'node:timers/promises'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CredentialNotProvenError } from '../../src/errors.ts'
import type { Consumer } from '../../src/lease/consumer.ts'
import { issuedLease, type Lease, renewedLease } from '../../src/source/lease.ts'
import type { CredentialSource, IssuedCredential } from '../../src/source/source.ts'
import type { TokenFacts } from '../../src/vault/token.ts'
import { joined, managersOf } from '../manager-of.ts'
import { ManualClock } from '../manual-clock.ts'

const second = 1_000
const ttl = 20 * second
const fails = { ok: 6, error: 2, hang: 1 } as const
type Outcome = keyof typeof fails | 'refused'

/** What Vault and the databases answer, one after the other; when that has run out, everything succeeds. */
const outcomes = fc.array(
  fc.oneof(
    ...Object.entries({ ...fails, refused: 2 }).map(([outcome, weight]) => ({
      weight,
      arbitrary: fc.constant(outcome as Outcome),
    })),
  ),
  { maxLength: 25 },
)
const deeds = fc.array(
  fc.oneof(
    fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(0, 50, 400, 3_000, 12_000, 30_000) }),
    fc.record({
      do: fc.constantFrom('suspend' as const, 'jump' as const),
      ms: fc.constantFrom(3_000, 15_000, 60_000),
    }),
    fc.record({
      do: fc.constantFrom(
        'credential' as const,
        'rotate' as const,
        'refused' as const,
        'suspected' as const,
        'leave' as const,
        'join' as const,
      ),
      ms: fc.constant(0),
    }),
  ),
  { maxLength: 14 },
)

/** A Vault with users that live by their leases, whose answers come in any order. */
class ShuffledVault implements CredentialSource {
  readonly description = 'database/creds/app'
  /** When Vault drops each user. */
  readonly users = new Map<string, number>()
  asked = 0
  token: TokenFacts = { issuedAt: 0, end: 50 * second, renewable: true, replaceable: true }
  readonly #clock: ManualClock
  readonly #answer: (signal: AbortSignal) => Promise<void>
  #made = 0

  constructor(clock: ManualClock, answer: (signal: AbortSignal) => Promise<void>) {
    this.#clock = clock
    this.#answer = answer
  }

  get alive(): number {
    return [...this.users.values()].filter((end) => end > this.#clock.now()).length
  }

  async fetch({ signal }: { readonly signal: AbortSignal }): Promise<IssuedCredential> {
    await this.#ask(signal)
    const id = `v-${++this.#made}`
    const sentAt = this.#clock.now()
    this.users.set(id, sentAt + ttl)
    const lease = issuedLease(id, { sentAt, durationMs: ttl, renewable: true })
    return { username: id, password: 'p', lease, tokenFacts: () => this.token }
  }

  async renew(lease: Lease, { signal }: { readonly signal: AbortSignal }): Promise<Lease | 'gone'> {
    await this.#ask(signal)
    const sentAt = this.#clock.now()
    if ((this.users.get(lease.id) ?? 0) <= sentAt) return 'gone'
    const durationMs = Math.min(ttl, lease.issuedAt + 3 * ttl - sentAt)
    this.users.set(lease.id, sentAt + durationMs)
    return renewedLease(lease, { sentAt, durationMs, renewable: true })
  }

  async shorten({ id }: Lease, ms: number, signal: AbortSignal): Promise<void> {
    await this.#ask(signal)
    this.users.set(id, Math.min(this.users.get(id) ?? 0, this.#clock.now() + ms))
  }

  async revoke({ id }: Lease, { signal }: { readonly signal: AbortSignal }): Promise<void> {
    await this.#ask(signal)
    this.users.delete(id)
  }

  revokeInBackground(lease: Lease, terms: { readonly signal: AbortSignal }): Promise<void> {
    return this.revoke(lease, terms)
  }

  async renewToken(signal: AbortSignal): Promise<void> {
    await this.#ask(signal)
    const issuedAt = this.#clock.now()
    this.token = { ...this.token, issuedAt, end: issuedAt + 50 * second }
  }

  async close(): Promise<void> {}

  async #ask(signal: AbortSignal): Promise<void> {
    this.asked++
    await this.#answer(signal)
  }
}

describe('a lease, whatever answers come in whatever order', () => {
  const unhandled: unknown[] = []
  const note = (reason: unknown): void => void unhandled.push(reason)
  beforeAll(() => void process.on('unhandledRejection', note))
  afterAll(() => void process.off('unhandledRejection', note))

  it('gives no dead credential, leaves nothing waiting, and few users', async () => {
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), outcomes, deeds, async (scheduler, script, course) => {
        const clock = new ManualClock()
        const left = [...script]
        /** The answer comes when the scheduler says so, or the caller gives up. */
        const answered = async (signal: AbortSignal): Promise<Outcome> => {
          const outcome = left.shift() ?? 'ok'
          const aborted = new Promise<never>((_resolve, reject) => {
            const giveUp = (): void => reject(signal.reason)
            if (signal.aborted) giveUp()
            signal.addEventListener('abort', giveUp, { once: true })
          })
          await Promise.race([outcome === 'hang' ? aborted : scheduler.schedule(Promise.resolve()), aborted])
          return outcome
        }
        const vault = new ShuffledVault(clock, async (signal) => {
          if ((await answered(signal)) !== 'ok') throw new Error('Vault fails')
        })
        const prove: Consumer['prove'] = async (credential, signal) => {
          const outcome = await answered(signal)
          if (outcome === 'ok') return 'accepted'
          if (outcome === 'refused') throw new CredentialNotProvenError('no', { refused: true })
          throw new Error(`the database fails for ${credential.username}`)
        }
        const retire: Consumer['retire'] = async (_generation, { signal }) => {
          await answered(signal).catch(() => {})
          return { closed: 1, forced: 0 }
        }
        const consumer = { place: 'test://db', prove, retire }
        const newManager = managersOf({ source: vault, clock, random: () => 0.5, drainTimeoutMs: 5 * second })
        const manager = newManager()
        const pools = [joined(manager, consumer), joined(manager, { ...consumer, place: 'test://other' })]
        const waiting: Promise<unknown>[] = []
        const wait = (promise: Promise<unknown>): void => void waiting.push(promise.catch(() => {}))

        const check = (): void => {
          for (const holder of [manager, ...pools]) {
            const { current } = holder
            const dead = current && (vault.users.get(current.username) ?? 0) <= clock.now()
            if (dead) throw new Error(`${current.username} is given, and dead`)
          }
          // One in force, one on its way in, and those that drain or cannot be revoked until their short end.
          expect(vault.alive).toBeLessThan(6)
        }
        /** Lets whatever the scheduler has for now come, in its order, and some time go by. */
        const settle = async (ms: number): Promise<void> => {
          for (let passed = 0; ; passed += 100) {
            for (let turn = 0; turn < 3; turn++) {
              while (scheduler.count() > 0) await scheduler.waitOne()
              await setImmediate()
            }
            check()
            if (passed >= ms) return
            const before = vault.asked
            await clock.advance(100)
            expect(vault.asked - before).toBeLessThan(20)
          }
        }
        const patient = { timeoutMs: 2 * second }
        for (const deed of course) {
          const pool = pools.at(-1)
          if (deed.do === 'jump') clock.jump(deed.ms)
          if (deed.do === 'suspend') clock.ahead += deed.ms
          if (deed.do === 'credential') wait(manager.credential(patient))
          if (deed.do === 'rotate') wait(manager.rotate(patient))
          if (deed.do === 'join') pools.push(joined(manager, consumer))
          if (pool?.current && deed.do === 'refused')
            wait(pool.refused(pool.current, new Error('refused'), patient))
          if (pool?.current && deed.do === 'suspected') pool.suspected(pool.current)
          if (pool && deed.do === 'leave') wait(pool.close(patient))
          await settle(deed.do === 'wait' ? deed.ms : 0)
        }
        let closed = false
        const closing = manager.close().then(() => {
          closed = true
        })
        await settle(16 * second)
        expect(closed).toBe(true)
        await closing
        await Promise.all(waiting)
        // What a close has left to itself ends, too.
        await settle(30 * second)
        expect(clock.pending).toBe(0)
        expect(unhandled).toEqual([])
      }),
      { numRuns: Number(process.env['FUZZ_RUNS'] ?? 60), endOnFailure: false },
    )
  }, 120_000)
})

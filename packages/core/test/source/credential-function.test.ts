import { describe, expect, it } from 'vitest'
import { credentialFunction, type GivenCredential } from '../../src/source/credential-function.ts'
import { joined, managerOf, quietConsumer, refuse } from '../manager-of.ts'
import { ManualClock } from '../manual-clock.ts'
import { rejection, secretsIn } from '../secrets.ts'

const minute = 60_000

function setUp(give: (call: number) => unknown) {
  const clock = new ManualClock()
  let calls = 0
  const source = credentialFunction(async () => give(++calls) as GivenCredential, clock)
  const lease = managerOf({ source, clock, random: () => 0.5, drainTimeoutMs: minute })
  return { clock, lease, calls: () => calls }
}

describe('a credential function', () => {
  it('is asked again when two thirds of the life of what it gave are over', async () => {
    const { clock, lease, calls } = setUp((call) => ({
      username: 'iam',
      password: `token-${call}`,
      expiresAt: new Date(clock.date() + 15 * minute),
    }))
    await lease.ready()
    expect(lease.status()).toMatchObject({
      expiresInMs: 15 * minute,
      next: { do: 'rotate', inMs: 10 * minute },
    })
    await clock.advance(10 * minute)
    expect(lease.current).toMatchObject({ generation: 1, password: 'token-2' })
    await clock.advance(100 * minute)
    expect(calls()).toBe(12)
    await lease.close()
  })

  it('without an end is asked once, and again when it is refused or told to rotate', async () => {
    const { clock, lease, calls } = setUp((call) => ({ username: 'u', password: `p-${call}` }))
    await lease.ready()
    await clock.advance(1_000 * minute)
    expect(calls()).toBe(1)
    await lease.rotate()
    expect(lease.current).toMatchObject({ generation: 2, password: 'p-2' })
    expect(await refuse(joined(lease, quietConsumer()))).toBe(true)
    expect(lease.current?.password).toBe('p-3')
    await lease.close()
    expect(clock.pending).toBe(0)
  })

  it('that was asked for another password just before is asked again when told to rotate', async () => {
    const waiting: (() => void)[] = []
    const { clock, lease, calls } = setUp(async (call) => {
      if (call > 1) await new Promise<void>((resolve) => waiting.push(resolve))
      return { username: 'iam', password: `p-${call}`, expiresAt: new Date(clock.date() + 15 * minute) }
    })
    await lease.ready()
    await clock.advance(10 * minute)
    expect(calls()).toBe(2)
    const rotation = lease.rotate()
    waiting.shift()?.()
    await clock.advance(1)
    expect(lease.current).toMatchObject({ generation: 1, password: 'p-2' })
    waiting.shift()?.()
    await rotation
    expect(lease.current).toMatchObject({ generation: 2, password: 'p-3' })
    await lease.close()
  })

  it('that gives what is over already is asked again, and not without a pause', async () => {
    const { clock, lease, calls } = setUp(() => ({ username: 'u', password: 'p', expiresAt: new Date(0) }))
    await expect(lease.ready()).rejects.toMatchObject({ code: 'ERR_CREDENTIALS_UNAVAILABLE' })
    await clock.advance(minute)
    expect(calls()).toBeLessThan(25)
    await lease.close()
  })

  it('that gives the same again and again near its end is not asked without end', async () => {
    const expiresAt = new Date(minute)
    const { clock, lease, calls } = setUp(() => ({ username: 'u', password: 'p', expiresAt }))
    await lease.ready()
    await clock.advance(minute)
    expect(calls()).toBeLessThan(40)
    await lease.close()
  })

  it.each([
    ['nothing', undefined],
    ['a text', 'secret-text'],
    ['no password', { username: 'u' }],
    ['an empty user name', { username: '', password: 'secret-text' }],
    ['a number', { username: 'u', password: 5 }],
    ['an end that is no Date', { username: 'u', password: 'secret-text', expiresAt: '2026-01-01' }],
    ['a Date that is none', { username: 'u', password: 'secret-text', expiresAt: new Date('x') }],
  ])('that gives %s is told what to give', async (_name, given) => {
    const { lease } = setUp(() => given)
    const error = await rejection(lease.ready())
    expect(error).toMatchObject({ cause: { code: 'ERR_CREDENTIAL_SOURCE' } })
    expect(secretsIn(error, ['secret-text'])).toEqual([])
    await lease.close()
  })

  it('that throws, or hangs, fails with a reason, in bounded time', async () => {
    const { lease } = setUp(() => {
      throw new Error('the cloud is away')
    })
    await expect(lease.ready()).rejects.toThrow('The credential function failed')
    await lease.close()
    const hung = setUp(() => new Promise(() => {}))
    const waiting = expect(hung.lease.ready()).rejects.toThrow('within 15000 ms')
    await hung.clock.advance(16_000)
    await waiting
    const closing = hung.lease.close()
    await hung.clock.advance(5_000)
    await closing
  })
})
